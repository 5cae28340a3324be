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
#include "emu/plugin/plugin_spec.hpp"

namespace fl::emu {

struct RunOptions {
  std::vector<std::string> command;  // PROGRAM, ARGS...
  MachineOptions machine;
  EnvironmentOptions environment;
  std::string trace_path;   // empty: no trace
  std::string sample_path;  // empty: no samples
  uint64_t sample_ms = 0;
  ReportTarget stats;
  ReportTarget strace;
  std::string log_spec;
  std::vector<DumpRequest> dumps;
  bool dmesg = false;
  std::vector<PluginSpec> plugins;
};

// "maps[:PID]", "pagetable[:PID]", "walk:ADDR", separated by commas.
HostResult<std::vector<DumpRequest>> parse_dump_spec(std::string_view spec);

}  // namespace fl::emu
