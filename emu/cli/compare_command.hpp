// `faultline compare`: from the options to the exit status.
#pragma once

#include <span>
#include <string>

#include "emu/cli/compare_options.hpp"

namespace fl::emu {

// Prints the report on standard output and writes the files that were asked for. Returns 0 if equal, 1 if different,
// 3 if what the reference could see does not suffice for the level. An error is for status 2, or 3 where no native
// reference is possible (HostError::status).
HostResult<int> compare_command(const CompareOptions& options, std::span<const std::string> host_environment);

}  // namespace fl::emu
