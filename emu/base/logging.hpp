// The log: one spdlog logger for each subsystem, made once at start-up, found by name (spdlog::get("vm.fault")).
//
// Everything goes to stderr. What is counted belongs to the counters and what is traced to the trace; the log is for
// watching the kernel decide. Levels: trace, debug, info, warn (default), error, off.
#pragma once

#include <span>
#include <string_view>

#include "emu/base/host_error.hpp"

namespace fl::emu {

// The subsystems, in the order of the layers.
std::span<const std::string_view> logger_names();

// Makes the loggers and sets their levels from SPEC: NAME=LEVEL[,NAME=LEVEL...]. A NAME is a subsystem, a group ("vm"
// for all of vm.*), or is left out with its '=' for all. An unknown name or level is an error that lists the known
// ones.
HostStatus set_up_logging(std::string_view spec);
// For a machine in somebody else's program: makes those loggers that are not there yet, and leaves all others, and the
// default one, as they are.
void add_missing_loggers();

}  // namespace fl::emu
