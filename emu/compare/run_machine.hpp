// run_machine: runs a program here as a recorder runs it on real Linux, and brings its faults back.
//
// The machine lives in a child process of ours, whose standard input, output and error are those of a recorded program:
// a file, a pipe, a pipe. So a program sees the same file kinds (and st_blksize, rule N4) on both sides, and nothing of
// it reaches the terminal.
#pragma once

#include <string>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/compare/our_run.hpp"
#include "emu/machine/machine_options.hpp"

namespace fl::emu {

struct MachineRun {
  std::vector<std::string> command;  // PROGRAM, ARGS...
  std::vector<std::string> environment;
  std::string stdin_path = "/dev/null";
  std::string directory;   // working directory; empty: ours
  MachineOptions machine;  // its observer is not used
};

// The program's own failures (a signal, a bad exit status) are in the result; an error is ours or the host's. A run
// that is not over after machine.timeout_ms is an error that says what its tasks were doing.
HostResult<OurRun> run_machine(const MachineRun& run);

}  // namespace fl::emu
