// A write to a present, read-only page: reuse it, copy it, or let a shared page be written.
// Linux counterpart: do_wp_page, wp_page_reuse, wp_page_copy, wp_page_shared.
#include "vm/cache/mapping.hpp"
#include "vm/fault/vm_fault.hpp"
#include "vm/mm/protection.hpp"
#include "vm/phys/page_pin.hpp"
#include "vm/rmap.hpp"
#include "vm/swap/swap_cache.hpp"

namespace fl::vm {
namespace {

using mmu::Pte;

FaultResult wp_page_reuse(VmFault& fault, FaultCause cause) {
  if (fault.unshare) {
    return fault.done(cause);
  }
  // The entry gains rights on the same frame: no flush.
  *fault.pte = fault.pte->with(Pte::kWritable | Pte::kDirty | Pte::kAccessed);
  return fault.done(cause);
}

// The frame for a copy. The page that is to be copied stays meanwhile.
Result<Pfn> alloc_copy(VmFault& fault, Pfn old, Gfp gfp) {
  const PagePin pin(fault.memory(), old);
  FL_TRY(anon_vma_prepare(fault.area));
  return fault.alloc_page(kGfpHighUserMovable | gfp);
}

// copy -> entry -> flush -> release the old page.
FaultResult wp_page_copy(VmFault& fault, FaultCause cause) {
  const Pte old = *fault.pte;
  const bool from_zero_page = old.pfn() == fault.memory().zero_page();
  const auto copy = alloc_copy(fault, old.pfn(), from_zero_page ? kGfpZero : Gfp{});
  if (!copy) {
    return fault_result(copy.error(), fault.record);
  }
  if (fault.reaped()) {
    fault.memory().pages().free_pages(*copy);
    return fault.done_reaped();
  }
  if (!from_zero_page) {
    fault.copy_page(*copy, old.pfn());
  }
  map_new_anon_page(fault.area, fault.addr, *copy);
  const uint32_t protection = page_protection(fault.area, fault.memory().profile());
  *fault.pte = Pte(*copy, fault.unshare ? protection : protection | Pte::kDirty | Pte::kWritable);
  if (old.accessed()) {
    fault.memory().tlb().flush();
  }
  unmap_page(fault.area, old);
  return fault.done(cause);
}

// Nobody else has the page, apart from the swap cache, which can do without it.
bool is_last_owner(VmFault& fault, Pfn pfn) {
  const Page& page = fault.memory().page(pfn);
  if (page.has(PageFlag::kAnonExclusive)) {
    return true;
  }
  if (page.has(PageFlag::kSwapCache) && page.refcount == 2) {
    fault.memory().swap_cache().try_to_free_swap(pfn);
  }
  return page.refcount == 1;
}

}  // namespace

FaultResult do_wp_page(VmFault& fault) {
  const Pte pte = *fault.pte;
  if (fault.area.shared()) {
    fault.area.file->mapping->mark_dirty(pte.pfn());
    const FaultResult result = wp_page_reuse(fault, FaultCause::kSharedWrite);
    fault_dirty_shared_page(fault);
    return result;
  }
  if (pte.special()) {
    return wp_page_copy(fault, fault.area.special != nullptr ? FaultCause::kVdso : FaultCause::kZeroCow);
  }
  Page& page = fault.memory().page(pte.pfn());
  if (page.has(PageFlag::kAnon) && is_last_owner(fault, pte.pfn())) {
    if (!page.has(PageFlag::kAnonExclusive)) {
      take_anon_page(fault.area, pte.pfn());
    }
    return wp_page_reuse(fault, FaultCause::kCowReuse);
  }
  return wp_page_copy(fault, FaultCause::kCowCopy);
}

}  // namespace fl::vm
