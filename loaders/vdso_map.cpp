// The vDSO's frames and their mapping. See vdso_map.hpp.
#include "loaders/vdso_map.hpp"

#include <cstring>

#include "loaders/vdso/vdso_image.hpp"
#include "vm/memory_system.hpp"

namespace fl::loaders {
namespace {

using vm::VmFlag;

// MAYWRITE, so that a debugger can set breakpoints in a private copy.
constexpr uint32_t kVdsoFlags = VmFlag::kRead | VmFlag::kExec | VmFlag::kMayRead | VmFlag::kMayWrite | VmFlag::kMayExec;
constexpr uint32_t kVvarFlags = VmFlag::kRead | VmFlag::kMayRead | VmFlag::kDontDump | VmFlag::kPfnMap | VmFlag::kIo;

}  // namespace

VdsoImage::VdsoImage(vm::MemorySystem& memory) : memory_(memory) {
  vdso_.name = "[vdso]";
  vvar_.name = "[vvar]";
  vvar_vclock_.name = "[vvar_vclock]";
}

Result<std::unique_ptr<VdsoImage>> VdsoImage::create(vm::MemorySystem& memory) {
  const vm::KernelProfile& profile = memory.profile();
  const VdsoBinary binary = vdso_image(profile);
  std::unique_ptr<VdsoImage> image(new VdsoImage(memory));
  for (size_t offset = 0; offset < binary.bytes.size(); offset += kPageSize) {
    FL_TRY_ASSIGN(const Pfn frame, memory.pages().alloc_pages(vm::kGfpKernel));
    image->vdso_.frames.push_back(frame);
    std::memcpy(memory.ram().frame(frame), binary.bytes.data() + offset, kPageSize);
  }
  FL_TRY_ASSIGN(const Pfn clock_frame, memory.pages().alloc_pages(vm::kGfpKernel | vm::kGfpZero));
  // The page with the clock data is the first; frame 0 stands for a page that does not exist.
  image->vvar_.frames.push_back(clock_frame);
  image->vvar_.frames.resize(profile.vvar_pages - profile.vclock_pages);
  image->vvar_vclock_.frames.resize(profile.vclock_pages);
  image->offsets_ = {.sigreturn = VirtAddr(binary.kernel_sigreturn),
                     .rt_sigreturn = VirtAddr(binary.kernel_rt_sigreturn),
                     .vsyscall = VirtAddr(binary.kernel_vsyscall)};
  return image;
}

VdsoImage::~VdsoImage() {
  for (const std::vector<Pfn>* frames : {&vdso_.frames, &vvar_.frames}) {
    for (const Pfn frame : *frames) {
      if (frame != Pfn()) {
        memory_.pages().free_pages(frame);
      }
    }
  }
}

Result<VirtAddr> VdsoImage::map(vm::AddressSpace& mm) const {
  const auto bytes = [](const vm::SpecialMapping& mapping) {
    return static_cast<uint32_t>(mapping.frames.size()) << kPageShift;
  };
  const uint32_t data_bytes = bytes(vvar_) + bytes(vvar_vclock_);
  FL_TRY_ASSIGN(const VirtAddr data, mm.unmapped_area(VirtAddr(0), data_bytes + bytes(vdso_)));
  const VirtAddr text = data + data_bytes;
  FL_TRY(mm.map_special(text, vdso_, kVdsoFlags));
  FL_TRY(mm.map_special(data, vvar_, kVvarFlags));
  if (!vvar_vclock_.frames.empty()) {
    FL_TRY(mm.map_special(data + bytes(vvar_), vvar_vclock_, kVvarFlags));
  }
  return text;
}

VdsoSymbols VdsoImage::symbols(VirtAddr base) const {
  const auto at = [base](VirtAddr offset) { return base + offset.value(); };
  return {at(offsets_.sigreturn), at(offsets_.rt_sigreturn), at(offsets_.vsyscall)};
}

std::span<std::byte> VdsoImage::clock_data() const { return {memory_.ram().frame(vvar_.frames.front()), kPageSize}; }

}  // namespace fl::loaders
