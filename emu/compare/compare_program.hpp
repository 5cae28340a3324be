// compare_program: the steps of one comparison: a reference, a run here under the same circumstances, the two side by
// side.
#pragma once

#include <functional>
#include <string>

#include "emu/base/host_error.hpp"
#include "emu/compare/comparison.hpp"
#include "emu/compare/run_machine.hpp"
#include "emu/record/native_record.hpp"

namespace fl::emu {

// Far longer than what one compares takes, on either side.
inline constexpr uint32_t kCompareTimeoutSeconds = 120;

struct CompareRequest {
  MachineRun run;                              // of the machine all but profile and processor
  const vm::KernelProfile* profile = nullptr;  // null: the one that fits the record
  unsigned runs = 5;                           // native ones, if it is recorded now
  std::string against;                         // a record's file; empty: record now
  std::vector<std::string> others;             // RecordRequest's
  Level level = Level::kOrder;
  uint32_t timeout_seconds = kCompareTimeoutSeconds;  // for each run on either side; 0: none
  bool accept_changed = false;  // compare although the program's file is not the one that was recorded
  // Called before each run on either side: to put back files that the program changes.
  std::function<HostStatus()> before_run = {};
};

// The stored record, or a new one of request.run's program. HostError::status is kExitNoReference where none can be
// made.
HostResult<NativeRecord> obtain_reference(const CompareRequest& request);

// Whether the file that would run here is the one that was recorded, and so are those that it starts.
HostResult<bool> is_recorded_program(const NativeRecord& record, const std::string& path);

// Runs request.run here, with the record's processor, and compares.
HostResult<Comparison> compare_with(NativeRecord record, const CompareRequest& request);

}  // namespace fl::emu
