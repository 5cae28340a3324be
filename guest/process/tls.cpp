// pack_descriptor, unpack_descriptor. See tls.hpp; the format is Intel SDM vol. 3, 3.4.5.
#include "guest/process/tls.hpp"

#include <algorithm>
#include <cstddef>

#include "guest/kernel.hpp"

namespace fl::guest {
namespace {

// Bits of the high word.
constexpr uint32_t kAccessed = 1u << 8;
constexpr uint32_t kWritable = 1u << 9;
constexpr uint32_t kContentsShift = 10;
constexpr uint32_t kCodeOrData = 1u << 12;
constexpr uint32_t kUserPrivilege = 3u << 13;
constexpr uint32_t kPresent = 1u << 15;
constexpr uint32_t kAvailable = 1u << 20;
constexpr uint32_t kBig = 1u << 22;
constexpr uint32_t kGranularity = 1u << 23;

}  // namespace

bool UserDesc::empty() const {
  return base_addr == 0 && limit == 0 && (bits == 0 || bits == (kReadExecOnly | kSegNotPresent));
}

bool UserDesc::acceptable() const {
  if (empty()) {
    return true;
  }
  const uint32_t contents = (bits & kContentsMask) >> 1;
  return (bits & kSeg32Bit) != 0 && contents <= 1 && (bits & kSegNotPresent) == 0;
}

TlsDescriptor pack_descriptor(const UserDesc& desc) {
  if (desc.empty()) {
    return {};
  }
  const auto when = [&](uint32_t bit, uint32_t value) { return (desc.bits & bit) != 0 ? value : 0u; };
  TlsDescriptor packed;
  packed.low = (desc.base_addr & 0xffffu) << 16 | (desc.limit & 0xffffu);
  packed.high = (desc.base_addr & 0xff000000u) | (desc.base_addr >> 16 & 0xffu) | (desc.limit & 0xf0000u) | kAccessed |
                kCodeOrData | kUserPrivilege | (desc.bits & UserDesc::kContentsMask) >> 1 << kContentsShift |
                (kWritable ^ when(UserDesc::kReadExecOnly, kWritable)) |
                (kPresent ^ when(UserDesc::kSegNotPresent, kPresent)) | when(UserDesc::kUseable, kAvailable) |
                when(UserDesc::kSeg32Bit, kBig) | when(UserDesc::kLimitInPages, kGranularity);
  return packed;
}

UserDesc unpack_descriptor(const TlsDescriptor& descriptor) {
  const uint32_t high = descriptor.high;
  const auto when = [&](uint32_t bit, uint32_t value) { return (high & bit) != 0 ? value : 0u; };
  UserDesc desc{};
  desc.base_addr = descriptor.low >> 16 | (high & 0xffu) << 16 | (high & 0xff000000u);
  desc.limit = (descriptor.low & 0xffffu) | (high & 0xf0000u);
  desc.bits = when(kBig, UserDesc::kSeg32Bit) | (high >> kContentsShift & 3u) << 1 |
              (UserDesc::kReadExecOnly ^ when(kWritable, UserDesc::kReadExecOnly)) |
              when(kGranularity, UserDesc::kLimitInPages) |
              (UserDesc::kSegNotPresent ^ when(kPresent, UserDesc::kSegNotPresent)) |
              when(kAvailable, UserDesc::kUseable);
  return desc;
}

Status set_thread_area(const Kernel& kernel, vm::UserAccess user, VirtAddr at, TlsArray& tls, AnyTlsEntry any) {
  constexpr uint32_t kAnyEntry = ~0u;
  FL_TRY_ASSIGN(const auto desc, user.get<UserDesc>(at));
  if (!desc.acceptable()) {
    return fail(Errno::kEINVAL);
  }
  const uint32_t first = kernel.profile().first_tls_entry;
  uint32_t entry = desc.entry_number;
  if (entry == kAnyEntry && any == AnyTlsEntry::kAllocate) {
    const auto free = std::find(tls.begin(), tls.end(), TlsDescriptor{});
    if (free == tls.end()) {
      return fail(Errno::kESRCH);
    }
    entry = first + static_cast<uint32_t>(free - tls.begin());
    FL_TRY(user.put(at + offsetof(UserDesc, entry_number), entry));
  }
  if (entry < first || entry >= first + kTlsDescriptors) {
    return fail(Errno::kEINVAL);
  }
  tls[entry - first] = pack_descriptor(desc);
  return {};
}

}  // namespace fl::guest
