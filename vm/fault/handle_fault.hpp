// The way into the fault handler, for the CPU's page faults, for the kernel's own accesses and for get_user_pages.
// Linux counterparts: do_user_addr_fault, handle_mm_fault, faultin_page, populate_vma_page_range.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::vm {

// Whether a fault that had to wait for the disk, and was tried again then, still knows that it did: it is major, or it
// counts as minor. Linux: FAULT_FLAG_TRIED, which populate_vma_page_range does not pass on.
enum class Retried : bool { kForgotten, kKnown };

// A page fault of the program (mode kUser) or of the kernel on its behalf (kKernel): finds the area, grows the stack,
// checks rights, handles it, counts it for `task` and the machine, tells the observer. `addr` is any user or kernel
// address.
FaultResult handle_page_fault(AddressSpace& mm, VirtAddr addr, mmu::Access access, uint32_t error_code, FaultMode mode,
                              FaultCounters& task, Retried retried = Retried::kKnown);

// Makes the pages of [start, start + length) present as mlock and MAP_POPULATE do: writable private areas are written,
// others read. Stops at the first page that cannot be had and says why. Linux: __mm_populate.
Status populate(AddressSpace& mm, VirtAddr start, uint32_t length, FaultCounters& task);
// MADV_POPULATE_READ and _WRITE. Linux: faultin_page_range.
Status populate_access(AddressSpace& mm, VirtAddr start, uint32_t length, mmu::Access access, FaultCounters& task);

// A private anonymous page that others have too becomes the area's own, still read-only; counted as a fault of
// get_user_pages. The entry is present. Linux: handle_mm_fault(FAULT_FLAG_UNSHARE).
FaultResult unshare_page(AddressSpace& mm, VmArea& area, VirtAddr addr, FaultCounters& task);

// As get_user_page, for somebody who keeps the page while others run: it is the address space's own afterwards. Checks
// what the area allows, grows no stack. EFAULT, ENOMEM. Linux: pin_user_pages_remote (one page), gup_must_unshare.
Result<Pfn> pin_user_page(AddressSpace& mm, VirtAddr addr, mmu::Access access, FaultCounters& task);

// Makes one page present for reading or writing and gives its frame; the frame stays valid until the address space
// changes. `mm` need not be the running one. Linux: get_user_pages_remote (one page).
tl::expected<Pfn, FaultResult> get_user_page(AddressSpace& mm, VirtAddr addr, mmu::Access access, FaultCounters& task,
                                             Retried retried = Retried::kKnown);

}  // namespace fl::vm
