// Programs of one process, each run natively, by qemu-i386, on the floor and by faultline; medians of interleaved runs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fl::emu::bench {

struct ProgramBenchmarkOptions {
  unsigned rounds = 5;
  std::string self;               // this program, for the floor
  std::vector<std::string> only;  // names of workloads; empty: all
};

// Prints a table on stdout; the result has every time.
nlohmann::json run_program_benchmarks(const ProgramBenchmarkOptions& options);

}  // namespace fl::emu::bench
