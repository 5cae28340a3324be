// Faults and counters as the embedding interface shows them.
#pragma once

#include <faultline/fault.hpp>
#include <faultline/vm.hpp>
#include <string>

#include "mmu/embed/convert.hpp"
#include "vm/fault/fault_record.hpp"

namespace fl::embed {

constexpr faultline::FaultResult to_public(vm::FaultResult result) {
  switch (result) {
    case vm::FaultResult::kMinor:
      return faultline::FaultResult::kMinor;
    case vm::FaultResult::kMajor:
      return faultline::FaultResult::kMajor;
    case vm::FaultResult::kMapErr:
      return faultline::FaultResult::kMapError;
    case vm::FaultResult::kAccErr:
      return faultline::FaultResult::kAccessError;
    case vm::FaultResult::kBusErr:
      return faultline::FaultResult::kBusError;
    case vm::FaultResult::kOom:
      break;
  }
  return faultline::FaultResult::kOutOfMemory;
}

constexpr faultline::FaultMode to_public(vm::FaultMode mode) {
  return mode == vm::FaultMode::kUser     ? faultline::FaultMode::kUser
         : mode == vm::FaultMode::kKernel ? faultline::FaultMode::kKernel
                                          : faultline::FaultMode::kGup;
}

inline faultline::Fault to_public(const vm::FaultRecord& record) {
  faultline::Fault fault;
  fault.address = record.addr.value();
  fault.access = to_public(record.access);
  fault.mode = to_public(record.mode);
  fault.result = to_public(record.result);
  fault.cause = vm::cause_name(record.cause);
  fault.entry_before = record.pte_before.raw();
  fault.entry_after = record.pte_after.raw();
  fault.has_frame = record.pte_after.present();
  fault.frame = fault.has_frame ? record.pfn.value() : 0;
  if (record.around.mapped != 0) {
    fault.around_first = record.around.from.value();
    fault.around_last = record.around.to.value();
    fault.around_mapped = record.around.mapped;
  }
  return fault;
}

inline faultline::FaultCounts to_public(const vm::FaultCounters& counters) {
  faultline::FaultCounts counts;
  counts.minor = counters.minor;
  counts.major = counters.major;
  counts.user = counters.by_mode[static_cast<size_t>(vm::FaultMode::kUser)];
  counts.kernel = counters.by_mode[static_cast<size_t>(vm::FaultMode::kKernel)];
  counts.gup = counters.by_mode[static_cast<size_t>(vm::FaultMode::kGup)];
  for (size_t i = 0; i < vm::kFaultCauses; ++i) {
    if (counters.by_cause[i] != 0) {
      counts.by_cause.emplace(vm::cause_name(static_cast<vm::FaultCause>(i)), counters.by_cause[i]);
    }
  }
  return counts;
}

}  // namespace fl::embed
