// Running one program and what it took; what is done with several such times.
#pragma once

#include <string>
#include <vector>

namespace fl::emu::bench {

struct Outcome {
  double cpu_seconds = 0, wall_seconds = 0;
  bool succeeded = false;
  std::string output;
};

// Runs the command to its end. Its processor time is that of all its processes, as far as they were waited for.
Outcome time_process(std::vector<std::string> command);

// Has the hypervisor give the memory that the next process will use: on a virtual machine the first touch of memory
// that the hypervisor has not given yet costs ten times as much as any other, and whichever runner meets it is charged.
// So before a run as much memory as it uses is touched and freed.
void settle_memory();

double median(std::vector<double> values);

// The command that runs a program of FL_BENCH_PROGRAMS.
std::vector<std::string> command_line(const std::vector<std::string>& prefix, const std::vector<std::string>& command);

// Whether gcc -m32 was there when the build was configured; says so if not.
bool have_programs();

}  // namespace fl::emu::bench
