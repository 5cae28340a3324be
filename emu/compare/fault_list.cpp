// Making the two lists comparable: what one side cannot see is left out of the other.
#include "emu/compare/fault_list.hpp"

#include <algorithm>

namespace fl::emu {

ReferenceView view_of(const NativeRecord& record) {
  const auto any = [&record](auto&& test) { return std::any_of(record.faults.begin(), record.faults.end(), test); };
  ReferenceView view;
  view.kernel = record.kernel_faults_seen;
  view.gup = record.gup == GupView::kFaults;
  // Every program begins with an instruction fetch; where none is known as one, the reference calls them reads, as a
  // processor without no-execute does.
  view.exec = any([](const NativeFault& fault) { return fault.access == mmu::Access::kFetch; });
  view.accesses = any([](const NativeFault& fault) { return fault.access.has_value(); });
  return view;
}

FaultList list_reference(const NativeRecord& record, const ReferenceView& view, const AddressMap& map) {
  FaultList list;
  for (const NativeProcess& process : record.processes) {
    list.processes.push_back({process.parent, process.child});
  }
  list.faults.reserve(record.faults.size());
  for (size_t i = 0; i < record.faults.size(); ++i) {
    const NativeFault& fault = record.faults[i];
    if ((fault.mode == vm::FaultMode::kGup && !view.gup) || (fault.mode == vm::FaultMode::kKernel && !view.kernel)) {
      continue;
    }
    ListedFault listed{.process = fault.process, .task = fault.task, .mode = fault.mode, .major = fault.major};
    if (fault.access) {
      listed.access = access_bits::of(*fault.access);
      if (!view.exec && *fault.access == mmu::Access::kRead) {
        listed.access |= access_bits::kExec;
      }
    }
    listed.addr = map.to_ours(fault.addr);
    listed.ip = fault.ip != 0 ? map.to_ours(fault.ip) : 0;
    listed.source = static_cast<uint32_t>(i);
    list.faults.push_back(listed);
  }
  return list;
}

FaultList list_ours(const OurRun& run, const ReferenceView& view) {
  FaultList list;
  for (const OurProcess& process : run.processes) {
    list.processes.push_back({process.parent, process.child});
  }
  list.faults.reserve(run.faults.size());
  for (size_t i = 0; i < run.faults.size(); ++i) {
    const OurFault& fault = run.faults[i];
    if ((fault.mode == vm::FaultMode::kGup && !view.gup) || (fault.mode == vm::FaultMode::kKernel && !view.kernel)) {
      continue;
    }
    list.faults.push_back({.process = fault.process,
                           .task = fault.task,
                           .mode = fault.mode,
                           .access = access_bits::of(fault.access),
                           .major = fault.major,
                           .addr = fault.addr,
                           .ip = fault.ip,
                           .source = static_cast<uint32_t>(i)});
  }
  return list;
}

}  // namespace fl::emu
