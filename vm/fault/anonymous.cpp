// First touch of anonymous memory, and of the vDSO and vvar. Linux counterpart: do_anonymous_page,
// special_mapping_fault.
#include "vm/fault/vm_fault.hpp"
#include "vm/mm/protection.hpp"
#include "vm/rmap.hpp"

namespace fl::vm {

FaultResult do_anonymous_page(VmFault& fault) {
  const uint32_t protection = page_protection(fault.area, fault.memory().profile());
  if (!fault.write()) {
    *fault.pte = mmu::Pte(fault.memory().zero_page(), protection | mmu::Pte::kSpecial);
    return fault.done(FaultCause::kAnonZero);
  }
  if (const auto prepared = anon_vma_prepare(fault.area); !prepared) {
    return fault_result(prepared.error(), fault.record);
  }
  const auto pfn = fault.alloc_page(kGfpHighUserMovable | kGfpZero);
  if (!pfn) {
    return fault_result(pfn.error(), fault.record);
  }
  if (fault.reaped()) {
    fault.memory().pages().free_pages(*pfn);
    return fault.done_reaped();
  }
  map_new_anon_page(fault.area, fault.addr, *pfn);
  *fault.pte = mmu::Pte(*pfn, protection | mmu::Pte::kDirty | mmu::Pte::kWritable);
  return fault.done(FaultCause::kAnon);
}

FaultResult do_special_page(VmFault& fault) {
  const uint32_t index = fault.area.page_index(fault.addr);
  const std::vector<Pfn>& frames = fault.area.special->frames;
  if (index >= frames.size() || frames[index] == Pfn()) {
    return fault.done(FaultCause::kBus, FaultResult::kBusErr);
  }
  const uint32_t protection = page_protection(fault.area, fault.memory().profile());
  if (!fault.write()) {
    *fault.pte = mmu::Pte(frames[index], protection | mmu::Pte::kSpecial);
    return fault.done(FaultCause::kVdso);
  }
  // The area was made writable (a debugger's breakpoint): a private copy. Linux: do_cow_fault.
  if (const auto prepared = anon_vma_prepare(fault.area); !prepared) {
    return fault_result(prepared.error(), fault.record);
  }
  const auto copy = fault.alloc_page(kGfpHighUserMovable);
  if (!copy) {
    return fault_result(copy.error(), fault.record);
  }
  if (fault.reaped()) {
    fault.memory().pages().free_pages(*copy);
    return fault.done_reaped();
  }
  fault.copy_page(*copy, frames[index]);
  map_new_anon_page(fault.area, fault.addr, *copy);
  *fault.pte = mmu::Pte(*copy, protection | mmu::Pte::kDirty | mmu::Pte::kWritable);
  return fault.done(FaultCause::kVdso);
}

}  // namespace fl::vm
