// The command line, read into plain data.
//
// Everything that can be refused without touching the machine is refused here, with one line that says what to do.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/dump/dump_collector.hpp"
#include "emu/machine/machine_options.hpp"
#include "mmu/base/addr.hpp"

namespace fl::emu {

// Least and most RAM: what the kernel needs to boot and to run a small program, and what 32-bit entries without PAE
// reach.
inline constexpr uint64_t kMinRamBytes = uint64_t{1} << 20;
inline constexpr uint64_t kMaxRamBytes = uint64_t{4} << 30;

// --stats, --strace: off, to stderr, or to a file.
struct ReportTarget {
  enum class Kind : uint8_t { kOff, kStderr, kFile };
  Kind kind = Kind::kOff;
  std::string path;
  bool operator==(const ReportTarget&) const = default;
};

struct RunOptions {
  std::vector<std::string> command;  // PROGRAM, ARGS...
  MachineOptions machine;
  std::vector<std::string> set_environment;  // "N=V", in order
  bool clear_environment = false;
  std::string trace_path;  // empty: no trace
  ReportTarget stats;
  ReportTarget strace;
  std::string log_spec;
  std::vector<DumpRequest> dumps;
};

// Text to print on standard output, and success: --help, --version.
struct Information {
  std::string text;
};

using Command = std::variant<RunOptions, Information>;

// Reads the arguments after the program's own name. `version` is the text of --version.
// What follows PROGRAM, or `--`, belongs to the guest.
HostResult<Command> parse_command_line(std::span<const std::string> arguments, const std::string& version);

// "maps[:PID]", "pagetable[:PID]", "walk:ADDR", separated by commas.
HostResult<std::vector<DumpRequest>> parse_dump_spec(std::string_view spec);

// The guest's environment: the host's (unless cleared), with `set` replacing entries of the same name or added at the
// end.
std::vector<std::string> guest_environment(std::span<const std::string> host, const RunOptions& options);

}  // namespace fl::emu
