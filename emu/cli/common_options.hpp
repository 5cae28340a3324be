// What the options of several commands have in common: values that each reads alike, the program's environment, and
// where a report goes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "emu/base/host_error.hpp"
#include "vm/profile.hpp"

namespace CLI {
class App;
}

namespace fl::emu {

// The values of options, from their texts; an error says what can be given.
HostResult<uint64_t> read_ram(const std::string& text);                      // --ram: bytes, whole pages
HostResult<const vm::KernelProfile*> read_profile(const std::string& text);  // --kernel: never null
HostResult<uint32_t> read_runs(const std::string& text);                     // --runs
HostResult<uint32_t> read_timeout(const std::string& text);                  // --timeout: seconds, 0 for none

// --env, --clear-env.
struct EnvironmentOptions {
  std::vector<std::string> set;  // "N=V", in order
  bool clear = false;

  void declare(CLI::App& app);
  // Refuses what is not NAME=VALUE.
  HostStatus check() const;
  // The program's environment: the host's (unless cleared), with `set` replacing entries of the same name or added at
  // the end.
  std::vector<std::string> apply(std::span<const std::string> host) const;
};

// --stats, --strace: off, to stderr, or to a file.
struct ReportTarget {
  enum class Kind : uint8_t { kOff, kStderr, kFile };
  Kind kind = Kind::kOff;
  std::string path;
  bool operator==(const ReportTarget&) const = default;

  // From an option's texts, one for each time it was given; empty: without =FILE. The last decides.
  static ReportTarget from(const std::vector<std::string>& given);
};

}  // namespace fl::emu
