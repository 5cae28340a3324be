// A fault from the top: find the area, grow the stack, check rights, handle, count, tell the observer.
// Linux counterpart: do_user_addr_fault (arch/x86/mm/fault.c), mm_account_fault.
#include "vm/fault/handle_fault.hpp"

#include "vm/fault/vm_fault.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm {
namespace {

using mmu::PageFaultError;

// The area forbids it. Linux: access_error. A fetch from an absent page of an area without VM_EXEC is handled as a read
// first; only when the page is present does the processor report it as a fetch that is not allowed.
bool access_error(const VmArea& area, uint32_t error_code) {
  if ((error_code & PageFaultError::kWrite) != 0) {
    return !area.has(VmFlag::kWrite);
  }
  if ((error_code & PageFaultError::kProtection) != 0) {
    return true;
  }
  return !area.accessible();
}

FaultResult find_and_handle(AddressSpace& mm, VirtAddr addr, mmu::Access access, uint32_t error_code,
                            FaultRecord& record) {
  bool grew = false;
  const auto area = mm.find_area_for_fault(addr, grew);
  if (!area) {
    record.cause = FaultCause::kSegvMapErr;
    return area.error();
  }
  record.vma = *area;
  if (access_error(**area, error_code)) {
    record.cause = FaultCause::kSegvAccErr;
    return FaultResult::kAccErr;
  }
  const FaultResult result = handle_mm_fault(mm, **area, addr, access, record);
  if (grew && !is_error(result)) {
    record.cause = FaultCause::kStackGrow;
  }
  return result;
}

mmu::Pte entry_of(const AddressSpace& mm, VirtAddr addr) {
  const mmu::Pte* pte = mmu::is_kernel_address(addr) ? nullptr : mm.tables().find(addr);
  return pte != nullptr ? *pte : mmu::Pte();
}

// Counts the fault and tells the observer. Linux: mm_account_fault.
void account(AddressSpace& mm, FaultRecord& record, FaultCounters& task) {
  MemorySystem& memory = mm.memory();
  task.add(record.mode, record.result, record.cause);
  memory.faults().add(record.mode, record.result, record.cause);
  if (FaultObserver* observer = memory.observer(); observer != nullptr) {
    record.pte_after = entry_of(mm, record.addr);
    record.pfn = record.pte_after.present() ? record.pte_after.pfn() : Pfn();
    observer->on_fault(record);
  }
  if (MemoryProbe* const probe = memory.probe(MemoryProbe::kFaultEnd); probe != nullptr) [[unlikely]] {
    record.pte_after = entry_of(mm, record.addr);
    record.pfn = record.pte_after.present() ? record.pte_after.pfn() : Pfn();
    probe->on_fault_end(mm, record);
  }
  if (memory.verify_level() == VerifyLevel::kFaults) {
    verify_or_die(mm);
  }
}

}  // namespace

FaultResult handle_page_fault(AddressSpace& mm, VirtAddr addr, mmu::Access access, uint32_t error_code, FaultMode mode,
                              FaultCounters& task, Retried retried) {
  FaultRecord record;
  record.addr = addr;
  record.access = access;
  record.mode = mode;
  record.pte_before = entry_of(mm, addr);
  if (MemoryProbe* const probe = mm.memory().probe(MemoryProbe::kFaultBegin); probe != nullptr) [[unlikely]] {
    probe->on_fault_begin(mm, addr, access, error_code, mode, record.pte_before);
  }
  record.result = find_and_handle(mm, addr, access, error_code, record);
  if (record.result == FaultResult::kMajor && retried == Retried::kForgotten) {
    record.result = FaultResult::kMinor;
  }
  account(mm, record, task);
  return record.result;
}

FaultResult unshare_page(AddressSpace& mm, VmArea& area, VirtAddr addr, FaultCounters& task) {
  FaultRecord record;
  record.addr = addr;
  record.mode = FaultMode::kGup;
  record.vma = &area;
  record.pte_before = entry_of(mm, addr);
  if (MemoryProbe* const probe = mm.memory().probe(MemoryProbe::kFaultBegin); probe != nullptr) [[unlikely]] {
    probe->on_fault_begin(mm, addr, record.access, mmu::PageFaultError::kProtection, record.mode, record.pte_before);
  }
  VmFault fault{.mm = mm,
                .area = area,
                .addr = addr.page(),
                .access = mmu::Access::kRead,
                .pte = mm.tables().find(addr),
                .record = record,
                .unshare = true};
  record.result = do_wp_page(fault);
  account(mm, record, task);
  return record.result;
}

}  // namespace fl::vm
