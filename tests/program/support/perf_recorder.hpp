// Records one native run's page faults in order, with the recorder of `faultline record`.
//
// get_user_pages faults (execve's argument page, MAP_POPULATE, mlock) raise no such event; they are in rusage only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/program/support/process.hpp"

namespace fl::test {

struct NativeFault {
  uint32_t addr = 0;
  uint32_t ip = 0;  // the user's instruction, or a kernel address cut to 32 bits
  bool kernel = false;
  uint32_t page() const { return addr & ~uint32_t{4095}; }
};

struct RecordedRun {
  RunResult run;
  std::vector<NativeFault> faults;
};

// Why recording is impossible here (kernel.perf_event_paranoid, no permission); empty if it works.
std::string perf_unavailable();

// Throws std::runtime_error if it cannot be recorded, or records were lost. The timeout and the signal of `spec` are
// not obeyed, ASLR is always off.
RecordedRun record_faults(const RunSpec& spec);

}  // namespace fl::test
