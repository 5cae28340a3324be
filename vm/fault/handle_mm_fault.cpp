// The cases of a fault by the state of its page-table entry. Linux counterpart: handle_mm_fault, handle_pte_fault,
// do_fault.
#include "vm/fault/vm_fault.hpp"

namespace fl::vm {
namespace {

FaultResult do_fault(VmFault& fault) {
  if (!fault.write()) {
    return do_read_fault(fault);
  }
  return fault.area.shared() ? do_shared_fault(fault) : do_cow_fault(fault);
}

FaultResult handle_pte_fault(VmFault& fault) {
  const mmu::Pte pte = *fault.pte;
  if (pte.none()) {
    if (fault.area.special != nullptr) {
      return do_special_page(fault);
    }
    return fault.area.anonymous() ? do_anonymous_page(fault) : do_fault(fault);
  }
  if (pte.swap()) {
    return do_swap_page(fault);
  }
  FL_CHECK(pte.hw_present(), "entry {:#x} of {:#x}: no case applies", pte.raw(), fault.addr.value());
  if (fault.write() && !pte.writable()) {
    return do_wp_page(fault);
  }
  return fault.done(FaultCause::kSpurious);
}

}  // namespace

FaultResult handle_mm_fault(AddressSpace& mm, VmArea& area, VirtAddr addr, mmu::Access access, FaultRecord& record) {
  // Linux: check_stable_address_space.
  if (mm.unstable()) {
    record.cause = FaultCause::kOom;
    return FaultResult::kBusErr;
  }
  const auto pte = mm.tables().find_or_create(addr);
  if (!pte) {
    return fault_result(pte.error(), record);
  }
  VmFault fault{.mm = mm, .area = area, .addr = addr.page(), .access = access, .pte = *pte, .record = record};
  const FaultResult result = handle_pte_fault(fault);
  if (record.mode == FaultMode::kUser && fault.pte->hw_present()) {
    mm.memory().faulted_pages().note(fault.pte->pfn());
  }
  return result;
}

FaultResult fault_result(Errno error, FaultRecord& record) {
  const bool oom = error == Errno::kENOMEM;
  record.cause = oom ? FaultCause::kOom : FaultCause::kBus;
  return oom ? FaultResult::kOom : FaultResult::kBusErr;
}

}  // namespace fl::vm
