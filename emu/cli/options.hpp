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
#include "mmu/base/addr.hpp"
#include "vm/memory_system.hpp"
#include "vm/profile.hpp"

namespace fl::emu {

enum class ClockKind : uint8_t { kVirtual, kHost };

// Least and most RAM: what the kernel needs to boot and to run a small program, and what 32-bit entries without PAE reach.
inline constexpr uint64_t kMinRamBytes = uint64_t{1} << 20;
inline constexpr uint64_t kMaxRamBytes = uint64_t{4} << 30;

// One item of --dump.
struct DumpRequest {
  enum class Kind : uint8_t { kMaps, kPageTable, kWalk };
  Kind kind = Kind::kMaps;
  std::optional<uint32_t> pid;  // maps, pagetable: none = every process
  VirtAddr addr;                // walk
  bool operator==(const DumpRequest&) const = default;
};

// --stats, --strace: off, to stderr, or to a file.
struct ReportTarget {
  enum class Kind : uint8_t { kOff, kStderr, kFile };
  Kind kind = Kind::kOff;
  std::string path;
  bool operator==(const ReportTarget&) const = default;
};

struct RunOptions {
  std::vector<std::string> command;  // PROGRAM, ARGS...
  uint64_t ram_bytes = uint64_t{256} << 20;
  const vm::KernelProfile* profile = &vm::KernelProfile::i386_6_1();
  std::vector<std::string> set_environment;  // "N=V", in order
  bool clear_environment = false;
  std::string root = "/";
  std::vector<std::string> writable;
  std::string trace_path;  // empty: no trace
  ReportTarget stats;
  ReportTarget strace;
  std::string log_spec;
  vm::VerifyLevel verify = vm::VerifyLevel::kOff;
  ClockKind clock = ClockKind::kVirtual;
  uint64_t seed = 0;
  bool aslr = false;
  std::optional<uint64_t> timeout_ms;
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

// The guest's environment: the host's (unless cleared), with `set` replacing entries of the same name or added at the end.
std::vector<std::string> guest_environment(std::span<const std::string> host, const RunOptions& options);

}  // namespace fl::emu
