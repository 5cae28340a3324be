// VmFault: one fault on its way through the handler, and the handlers of its cases. Inside vm/fault only.
// Linux counterpart: struct vm_fault and the do_*_page functions of mm/memory.c.
#pragma once

#include "mmu/base/addr.hpp"
#include "mmu/mmu.hpp"
#include "mmu/pte.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/vm_area.hpp"

namespace fl::vm {

struct VmFault {
  AddressSpace& mm;
  VmArea& area;
  const VirtAddr addr;  // page-aligned
  const mmu::Access access;
  // The entry of addr; its table exists.
  mmu::Pte* pte;
  // cause, around are filled in by the handlers.
  FaultRecord& record;
  // A reader wants the page for itself: it is copied, but not made writable. Linux: FAULT_FLAG_UNSHARE.
  bool unshare = false;

  bool write() const { return access == mmu::Access::kWrite; }
  MemorySystem& memory() const { return mm.memory(); }
  // Taking memory may make the OOM killer take another process's, and this fault may be on that one's: its entry has
  // been cleared, and is to stay so. Linux: check_stable_address_space, pte_same.
  bool reaped() const { return mm.unstable(); }
  FaultResult done_reaped() const { return done(FaultCause::kOom, FaultResult::kBusErr); }
  void copy_page(Pfn to, Pfn from) const { copy_highpage(memory().kmap_slots(), to, from); }
  // A page for this fault, from the nodes that the area's policy, or the task's, names, and charged. Linux:
  // vma_alloc_folio, mem_cgroup_charge.
  Result<Pfn> alloc_page(Gfp gfp) const {
    const MemPolicy& policy = area.policy.none() ? memory().task_policy() : area.policy;
    PageAllocator& pages = memory().pages();
    FL_TRY_ASSIGN(const Pfn pfn, policy.none() ? pages.alloc_pages(gfp)
                                               : alloc_pages_policy(pages, gfp, 0, policy, area.page_index(addr)));
    return pages.charge(pfn, gfp);
  }
  FaultResult done(FaultCause cause, FaultResult result = FaultResult::kMinor) const {
    record.cause = cause;
    return result;
  }
};

// The area allows the access and covers the address: make it present. Linux: handle_mm_fault.
FaultResult handle_mm_fault(AddressSpace& mm, VmArea& area, VirtAddr addr, mmu::Access access, FaultRecord& record);

// Absent entry.
FaultResult do_anonymous_page(VmFault& fault);
FaultResult do_special_page(VmFault& fault);
FaultResult do_read_fault(VmFault& fault);
FaultResult do_cow_fault(VmFault& fault);
FaultResult do_shared_fault(VmFault& fault);
// The entry says where in swap the page is.
FaultResult do_swap_page(VmFault& fault);
// Present, read-only entry, write access.
FaultResult do_wp_page(VmFault& fault);

// The entry of a shared mapping has become writable, its page dirty: there may be too many of those. Linux:
// fault_dirty_shared_page.
void fault_dirty_shared_page(VmFault& fault);

// What an errno from the page cache or the allocator means for a fault. Linux: vmf_error.
FaultResult fault_result(Errno error, FaultRecord& record);

}  // namespace fl::vm
