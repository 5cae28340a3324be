// The command line, read into plain data.
//
// Everything that can be refused without touching the machine is refused here, with one line that says what to do.
#pragma once

#include <span>
#include <string>
#include <variant>

#include "emu/base/host_error.hpp"
#include "emu/cli/compare_options.hpp"
#include "emu/cli/record_options.hpp"
#include "emu/cli/run_options.hpp"

namespace fl::emu {

// Text to print on standard output, and success: --help, --version.
struct Information {
  std::string text;
};

using Command = std::variant<RunOptions, CompareOptions, RecordOptions, Information>;

// Reads the arguments after the program's own name. `version` is the text of --version.
// What follows PROGRAM, or `--`, belongs to the guest.
HostResult<Command> parse_command_line(std::span<const std::string> arguments, const std::string& version);

}  // namespace fl::emu
