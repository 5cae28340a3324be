// `faultline run`: from the options to the exit status.
#pragma once

#include <span>
#include <string>

#include "emu/cli/options.hpp"

namespace fl::emu {

// Runs the program and writes trace, statistics and dumps. Returns the exit status: the guest's, or 124, 130, 143 where
// the run was stopped. An error is for status 125.
HostResult<int> run_command(RunOptions options, std::span<const std::string> host_environment);

}  // namespace fl::emu
