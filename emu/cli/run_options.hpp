// The options of `faultline run`, read into plain data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/cli/common_options.hpp"
#include "emu/dump/dump_collector.hpp"
#include "emu/machine/machine_options.hpp"

namespace fl::emu {

// Least and most RAM: what the kernel needs to boot and to run a small program, and what 32-bit entries without PAE
// reach.
inline constexpr uint64_t kMinRamBytes = uint64_t{1} << 20;
inline constexpr uint64_t kMaxRamBytes = uint64_t{4} << 30;

struct RunOptions {
  std::vector<std::string> command;  // PROGRAM, ARGS...
  MachineOptions machine;
  EnvironmentOptions environment;
  std::string trace_path;  // empty: no trace
  ReportTarget stats;
  ReportTarget strace;
  std::string log_spec;
  std::vector<DumpRequest> dumps;
};

// "maps[:PID]", "pagetable[:PID]", "walk:ADDR", separated by commas.
HostResult<std::vector<DumpRequest>> parse_dump_spec(std::string_view spec);

}  // namespace fl::emu
