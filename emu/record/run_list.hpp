// From perf's records to the fault list of one run: the tree of processes, which fault was whose, how it was made.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "emu/record/native_record.hpp"
#include "emu/record/perf_records.hpp"

namespace fl::emu {

// What one run gave.
struct RunList {
  std::vector<NativeProcess> processes;
  std::vector<NativeFault> faults;  // in order of time
  GupView gup = GupView::kCount;
  uint64_t gup_faults = 0;
  int exit_status = 0;
  uint64_t minflt = 0, majflt = 0;  // of all processes
};

// How the instruction at a user's address uses memory, for faults whose error code was not seen; empty: unknown.
using InstructionAccess = std::function<std::optional<mmu::Access>(uint32_t ip)>;

struct RunFacts {
  int32_t root = 0;             // pid of the program,
  bool root_is_parent = false;  // or of the parent whose first child it is
  int exit_status = 0;
  uint64_t minflt = 0, majflt = 0;                    // of all that was waited for, as wait4 reports it
  uint64_t launcher_minflt = 0, launcher_majflt = 0;  // of the program's process before its execve
  bool kernel_seen = true;                            // the records have kernel-mode faults
  bool gup_seen = false;                              // the records have get_user_pages faults
  InstructionAccess instruction_access = {};
};

// An error if a fault belongs to nobody, or an address has more than 32 bits: the program is not an i386 one.
HostResult<RunList> make_run_list(PerfRecords records, const RunFacts& facts);

}  // namespace fl::emu
