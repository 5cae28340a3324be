// remap_file_pages(2), which since Linux 4.0 is an mmap over part of the area. Linux counterpart: sys_remap_file_pages
// (mm/mmap.c).
#include "mmu/layout.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm {

Status AddressSpace::remap_file_pages(VirtAddr addr, uint32_t length, uint32_t prot, uint32_t pgoff, uint32_t flags,
                                      FaultCounters& task) {
  const MmCall call(*this);
  const VirtAddr start = addr.page();
  const uint32_t bytes = length & ~kPageOffsetMask;
  const uint64_t end = uint64_t{start.value()} + bytes;
  if (prot != 0 || bytes == 0 || end > UINT32_MAX || pgoff + (bytes >> kPageShift) < pgoff) {
    return fail(Errno::kEINVAL);
  }
  const VmArea* const area = areas_.lookup(start);
  if (area == nullptr || !area->shared()) {
    return fail(Errno::kEINVAL);
  }
  // The range may go on in areas that were cut from the same mapping.
  for (const VmArea* part = area; part->end.value() < end; part = part->next) {
    const VmArea* const next = part->next;
    if (next == nullptr || next->start != part->end || next->file != area->file || next->flags != area->flags) {
      return fail(Errno::kEINVAL);
    }
  }
  // VM_READ, VM_WRITE and VM_EXEC have the values of PROT_*.
  const uint32_t locked = area->has(VmFlag::kLocked) ? uint32_t{MapFlag::kLocked} : 0u;
  const auto mapped =
      mmap({.addr = start,
            .length = bytes,
            .prot = area->flags & kVmAccessFlags,
            .flags = (flags & MapFlag::kNonBlock) | MapFlag::kShared | MapFlag::kFixed | MapFlag::kPopulate | locked,
            .file = area->file,
            .pgoff = pgoff},
           task);
  return mapped ? Status() : Status(fail(mapped.error()));
}

}  // namespace fl::vm
