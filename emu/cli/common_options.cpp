// Options that several commands have. See common_options.hpp.
#include "emu/cli/common_options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "emu/cli/size.hpp"
#include "emu/machine/machine_limits.hpp"
#include "emu/record/record_program.hpp"
#include "mmu/base/addr.hpp"

namespace fl::emu {

HostResult<uint64_t> read_ram(const std::string& text) {
  const auto ram = parse_size(text);
  if (!ram || *ram < kMinRamBytes || *ram > kMaxRamBytes) {
    return host_error("cannot use the RAM size: {}: give {} to {}", text, format_size(kMinRamBytes),
                      format_size(kMaxRamBytes));
  }
  return *ram & ~uint64_t{kPageOffsetMask};
}

HostResult<const vm::KernelProfile*> read_profile(const std::string& text) {
  const vm::KernelProfile* profile = vm::KernelProfile::find(text);
  if (profile == nullptr) {
    return host_error("cannot imitate the kernel: {}: give 6.1-i386 or 6.18-compat", text);
  }
  return profile;
}

HostResult<uint32_t> read_runs(const std::string& text) {
  const auto runs = parse_number(text);
  if (!runs || *runs < 1 || *runs > kMostRuns) {
    return host_error("cannot make so many runs: {}: give 1 to {}", text, kMostRuns);
  }
  return static_cast<uint32_t>(*runs);
}

HostResult<uint32_t> read_timeout(const std::string& text) {
  constexpr uint64_t kMostSeconds = 7 * 24 * 3600;
  const auto seconds = parse_number(text);
  if (!seconds || *seconds > kMostSeconds) {
    return host_error("cannot use the timeout: {}: give 0 to {} whole seconds", text, kMostSeconds);
  }
  return static_cast<uint32_t>(*seconds);
}

void EnvironmentOptions::declare(CLI::App& app) {
  app.add_option("--env", set, "Set a variable of the program's environment (repeatable)")
      ->option_text("NAME=VALUE")
      ->allow_extra_args(false);
  app.add_flag("--clear-env", clear, "Do not pass the host's environment on");
}

HostStatus EnvironmentOptions::check() const {
  for (const std::string& variable : set) {
    if (variable.find('=') == std::string::npos || variable.starts_with('=')) {
      return host_error("cannot set the variable: {}: give NAME=VALUE", variable);
    }
  }
  return {};
}

std::vector<std::string> EnvironmentOptions::apply(std::span<const std::string> host) const {
  std::vector<std::string> environment;
  if (!clear) {
    environment.assign(host.begin(), host.end());
  }
  for (const std::string& variable : set) {
    const std::string_view name = std::string_view(variable).substr(0, variable.find('=') + 1);
    const auto same = std::find_if(environment.begin(), environment.end(),
                                   [name](const std::string& other) { return other.starts_with(name); });
    if (same != environment.end()) {
      *same = variable;
    } else {
      environment.push_back(variable);
    }
  }
  return environment;
}

ReportTarget ReportTarget::from(const std::vector<std::string>& given) {
  if (given.empty()) {
    return {};
  }
  const std::string& path = given.back();
  return path.empty() ? ReportTarget{Kind::kStderr, {}} : ReportTarget{Kind::kFile, path};
}

}  // namespace fl::emu
