// mmap(2): choosing a place, checking flags against the file, making the area, merging it. Linux counterpart: do_mmap,
// mmap_region, arch_get_unmapped_area_topdown (mm/mmap.c). Order of the checks is Linux's: it decides the errno.
#include "mmu/layout.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/kernel_caches.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/area_editor.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm {
namespace {

// Where the bottom-up search starts when the top-down one found nothing. Linux: TASK_UNMAPPED_BASE.
constexpr VirtAddr kUnmappedBase(0x40000000);
// Linux: MAP_HUGE_2MB | MAP_HUGE_1GB.
constexpr uint32_t kHugeSizes = 0x7c000000;
constexpr uint32_t k32Bit = 0x40;  // MAP_32BIT; of no meaning to a 32-bit program

struct AreaRequest {
  uint32_t vm_flags;
  uint32_t pgoff;
  std::shared_ptr<const MappedFile> file;
};

// What the seals of a memfd leave of a shared mapping. Linux: mapping_map_writable, seal_check_write.
Result<uint32_t> sealed_flags(const MappedFile& file, uint32_t prot, uint32_t vm_flags, const KernelProfile& profile) {
  const bool sealed = file.sealed || file.sealed_for_new;
  if (!sealed || (vm_flags & VmFlag::kShared) == 0) {
    return vm_flags;
  }
  if ((prot & Prot::kWrite) != 0 || (file.sealed && !profile.maps_sealed_for_reading)) {
    return fail(Errno::kEPERM);
  }
  return vm_flags & ~uint32_t{VmFlag::kMayWrite};
}

// What a file allows of MAP_SHARED and MAP_PRIVATE.
Result<uint32_t> file_flags(const MmapRequest& request, uint32_t vm_flags, const KernelProfile& profile) {
  const MappedFile& file = *request.file;
  switch (request.flags & MapFlag::kTypeMask) {
    case MapFlag::kSharedValidate: {
      constexpr uint32_t kKnown = MapFlag::kSharedValidate | MapFlag::kFixed | MapFlag::kAnonymous |
                                  MapFlag::kGrowsDown | MapFlag::kDenyWrite | MapFlag::kExecutable | MapFlag::kLocked |
                                  MapFlag::kNoReserve | MapFlag::kPopulate | MapFlag::kNonBlock | MapFlag::kStack |
                                  k32Bit | kHugeSizes;
      if ((request.flags & ~kKnown) != 0) {
        return fail(Errno::kEOPNOTSUPP);
      }
      [[fallthrough]];
    }
    case MapFlag::kShared:
      if ((request.prot & Prot::kWrite) != 0 && !file.writable) {
        return fail(Errno::kEACCES);
      }
      vm_flags |= VmFlag::kShared | VmFlag::kMayShare;
      if (!file.writable) {
        vm_flags &= ~(VmFlag::kMayWrite | VmFlag::kShared);
      }
      [[fallthrough]];
    case MapFlag::kPrivate:
      if (!file.readable) {
        return fail(Errno::kEACCES);
      }
      if ((request.flags & MapFlag::kGrowsDown) != 0) {
        return fail(Errno::kEINVAL);
      }
      return sealed_flags(file, request.prot, vm_flags, profile);
    default:
      return fail(Errno::kEINVAL);
  }
}

Result<AreaRequest> area_request(const MmapRequest& request, VirtAddr addr, uint32_t vm_flags,
                                 const KernelProfile& profile) {
  if (request.file != nullptr) {
    FL_TRY_ASSIGN(const uint32_t flags, file_flags(request, vm_flags, profile));
    return AreaRequest{flags, request.pgoff, request.file};
  }
  switch (request.flags & MapFlag::kTypeMask) {
    case MapFlag::kShared:
      if ((request.flags & MapFlag::kGrowsDown) != 0) {
        return fail(Errno::kEINVAL);
      }
      return AreaRequest{vm_flags | VmFlag::kShared | VmFlag::kMayShare, 0, nullptr};
    case MapFlag::kPrivate:
      return AreaRequest{vm_flags, addr.vpn(), nullptr};
    default:
      return fail(Errno::kEINVAL);
  }
}

// Each shared anonymous mapping is a nameless tmpfs file. Linux: shmem_zero_setup.
Result<std::shared_ptr<const MappedFile>> shared_anonymous_file(MemorySystem& memory, uint32_t bytes, bool reserved) {
  FL_TRY_ASSIGN(auto file, make_shared_object(memory.caches().filp));
  FL_TRY_ASSIGN(file->mapping,
                Mapping::for_shmem(memory, bytes, reserved ? ShmemCharge::kBySize : ShmemCharge::kByPage));
  file->path = "/dev/zero (deleted)";
  file->writable = true;
  return file;
}

}  // namespace

Result<VirtAddr> AddressSpace::unmapped_area(VirtAddr hint, uint32_t length) const {
  if (length > mmu::kTaskSize) {
    return fail(Errno::kENOMEM);
  }
  if (hint != VirtAddr(0)) {
    const VirtAddr addr = hint.page();
    if (addr.value() <= mmu::kTaskSize - length && addr.value() >= kMmapMinAddr) {
      const VmArea* next = areas_.find(addr);
      const uint32_t gap = next != nullptr && next->has(VmFlag::kGrowsDown) ? kStackGuardGap : 0;
      if (next == nullptr || uint64_t{addr.value()} + length + gap <= next->start.value()) {
        return addr;
      }
    }
  }
  VmaTree::Hole hole = areas_.highest_hole(length, VirtAddr(kMmapMinAddr), mmap_base_);
  if (!hole.found) {
    hole = areas_.lowest_hole(length, kUnmappedBase, VirtAddr(mmu::kTaskSize));
  }
  if (!hole.found) {
    return fail(Errno::kENOMEM);
  }
  return hole.start;
}

Result<VirtAddr> AddressSpace::choose_address(VirtAddr addr, uint32_t length, uint32_t flags) const {
  if (length > mmu::kTaskSize) {
    return fail(Errno::kENOMEM);
  }
  if ((flags & MapFlag::kFixed) == 0) {
    return unmapped_area(addr, length);
  }
  if (addr.value() > mmu::kTaskSize - length) {
    return fail(Errno::kENOMEM);
  }
  if (!addr.page_aligned()) {
    return fail(Errno::kEINVAL);
  }
  if (addr.value() < kMmapMinAddr && !may_map_low_) {
    return fail(Errno::kEPERM);
  }
  return addr;
}

Result<VirtAddr> AddressSpace::mmap(const MmapRequest& asked, FaultCounters& task) {
  const MmCall call(*this);
  MmapRequest request = asked;
  if (request.length == 0) {
    return fail(Errno::kEINVAL);
  }
  if ((request.flags & MapFlag::kHugeTlb) != 0) {
    return fail(Errno::kENOMEM);  // the pool of huge pages is empty
  }
  if ((request.prot & Prot::kRead) != 0 && read_implies_exec_) {
    request.prot |= Prot::kExec;
  }
  if ((request.flags & MapFlag::kFixedNoReplace) != 0) {
    request.flags |= MapFlag::kFixed;
  }
  // Linux: round_hint_to_min.
  if ((request.flags & MapFlag::kFixed) == 0 && request.addr.page() != VirtAddr(0) &&
      request.addr.value() < kMmapMinAddr) {
    request.addr = VirtAddr(kMmapMinAddr);
  }
  const uint64_t aligned = page_align_up(request.length);
  if (aligned > mmu::kTaskSize) {
    return fail(Errno::kENOMEM);
  }
  const auto bytes = static_cast<uint32_t>(aligned);
  const uint32_t pages = bytes >> kPageShift;
  if (request.pgoff + pages < request.pgoff) {
    return fail(Errno::kEOVERFLOW);
  }
  if (areas_.size() > memory_.max_map_count()) {
    return fail(Errno::kENOMEM);
  }
  FL_TRY_ASSIGN(const VirtAddr addr, choose_address(request.addr, bytes, request.flags));
  const VirtAddr end = addr + bytes;
  if ((request.flags & MapFlag::kFixedNoReplace) != 0 && areas_.find_intersection(addr, end) != nullptr) {
    return fail(Errno::kEEXIST);
  }

  uint32_t vm_flags =
      (request.prot & kVmAccessFlags) | VmFlag::kMayRead | VmFlag::kMayWrite | VmFlag::kMayExec | default_flags_;
  vm_flags |= (request.flags & MapFlag::kGrowsDown) != 0 ? uint32_t{VmFlag::kGrowsDown} : 0u;
  vm_flags |= (request.flags & MapFlag::kLocked) != 0 ? uint32_t{VmFlag::kLocked} : 0u;
  if ((request.flags & MapFlag::kLocked) != 0 && limits_.memlock == 0 && !may_map_low_) {
    return fail(Errno::kEPERM);
  }
  if ((vm_flags & VmFlag::kLocked) != 0 && !may_lock(bytes)) {
    return fail(Errno::kEAGAIN);
  }
  FL_TRY_ASSIGN(AreaRequest wanted, area_request(request, addr, vm_flags, memory_.profile()));
  const bool no_reserve =
      (request.flags & MapFlag::kNoReserve) != 0 && memory_.overcommit().settings().mode != OvercommitMode::kNever;
  wanted.vm_flags |= no_reserve ? uint32_t{VmFlag::kNoReserve} : 0u;

  // What MAP_FIXED replaces does not count against the limit. Linux: count_vma_pages_range.
  uint32_t replaced = 0;
  for (const VmArea* old = areas_.find(addr); old != nullptr && old->start < end; old = old->next) {
    replaced += (std::min(old->end, end) - std::max(old->start, addr)) >> kPageShift;
  }
  if (!may_expand(wanted.vm_flags, pages - replaced)) {
    return fail(Errno::kENOMEM);
  }
  if (replaced != 0) {
    FL_TRY(munmap(addr, bytes));
  }
  // Private writable memory is charged against the commit limit. Linux: accountable_mapping.
  if ((wanted.vm_flags & (VmFlag::kNoReserve | VmFlag::kShared | VmFlag::kWrite)) == VmFlag::kWrite) {
    FL_TRY(memory_.overcommit().enough_memory(this, pages));
    wanted.vm_flags |= VmFlag::kAccount;
  }
  if (wanted.file == nullptr && (wanted.vm_flags & VmFlag::kShared) != 0) {
    FL_TRY_ASSIGN(wanted.file, shared_anonymous_file(memory_, bytes, !no_reserve));
  }

  FL_TRY(AreaEditor(*this).add_merged(
      {.start = addr, .end = end, .flags = wanted.vm_flags, .pgoff = wanted.pgoff, .file = std::move(wanted.file)}));

  const bool populate_asked = (request.flags & (MapFlag::kPopulate | MapFlag::kNonBlock)) == MapFlag::kPopulate;
  if ((wanted.vm_flags & VmFlag::kLocked) != 0 || populate_asked) {
    // As mm_populate: a page that cannot be had is the later access's problem.
    static_cast<void>(populate(*this, addr, bytes, task));
  }
  return addr;
}

}  // namespace fl::vm
