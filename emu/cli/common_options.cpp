// Options that several commands have. See common_options.hpp.
#include "emu/cli/common_options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace fl::emu {

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
