// A write to a present, read-only page: reuse it, copy it, or let a shared page be written.
// Linux counterpart: do_wp_page, wp_page_reuse, wp_page_copy, wp_page_shared.
#include "vm/cache/mapping.hpp"
#include "vm/fault/vm_fault.hpp"
#include "vm/mm/protection.hpp"
#include "vm/rmap.hpp"

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

// copy -> entry -> flush -> release the old page.
FaultResult wp_page_copy(VmFault& fault, FaultCause cause) {
  if (const auto prepared = anon_vma_prepare(fault.area); !prepared) {
    return fault_result(prepared.error(), fault.record);
  }
  const Pte old = *fault.pte;
  const bool from_zero_page = old.pfn() == fault.memory().zero_page();
  const auto copy = fault.alloc_page(kGfpHighUserMovable | (from_zero_page ? kGfpZero : Gfp{}));
  if (!copy) {
    return fault_result(copy.error(), fault.record);
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

}  // namespace

FaultResult do_wp_page(VmFault& fault) {
  const Pte pte = *fault.pte;
  if (fault.area.shared()) {
    Mapping& mapping = *fault.area.file->mapping;
    mapping.mark_dirty(pte.pfn());
    return wp_page_reuse(fault, FaultCause::kSharedWrite);
  }
  if (pte.special()) {
    return wp_page_copy(fault, fault.area.special != nullptr ? FaultCause::kVdso : FaultCause::kZeroCow);
  }
  Page& page = fault.memory().page(pte.pfn());
  if (page.has(PageFlag::kAnon) && (page.has(PageFlag::kAnonExclusive) || page.refcount == 1)) {
    if (!page.has(PageFlag::kAnonExclusive)) {
      take_anon_page(fault.area, pte.pfn());
    }
    return wp_page_reuse(fault, FaultCause::kCowReuse);
  }
  return wp_page_copy(fault, FaultCause::kCowCopy);
}

}  // namespace fl::vm
