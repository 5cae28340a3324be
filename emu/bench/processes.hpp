// Several processes and threads: what a fork, a fork with exec and a switch cost natively and under faultline.
#pragma once

#include <nlohmann/json.hpp>

#include "emu/bench/programs.hpp"

namespace fl::emu::bench {

// Prints a table on stdout; the result has every time.
nlohmann::json run_process_benchmarks(const ProgramBenchmarkOptions& options);

}  // namespace fl::emu::bench
