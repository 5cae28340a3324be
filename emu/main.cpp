// The program `faultline`: command line in, exit status out.
#include <unistd.h>

#include <cstdio>
#include <string>
#include <variant>
#include <vector>

#include "emu/cli/compare_command.hpp"
#include "emu/cli/options.hpp"
#include "emu/cli/record_command.hpp"
#include "emu/cli/run_command.hpp"
#include "emu/cli/version.hpp"

namespace {

int fail(const fl::emu::HostError& error) {
  std::fprintf(stderr, "faultline: %s\n", error.message.c_str());
  return error.status;
}

fl::emu::HostResult<int> execute(fl::emu::Command command, const std::vector<std::string>& environment) {
  using namespace fl::emu;
  if (const auto* const compare = std::get_if<CompareOptions>(&command)) {
    return compare_command(*compare, environment);
  }
  if (const auto* const record = std::get_if<RecordOptions>(&command)) {
    return record_command(*record, environment);
  }
  return run_command(std::move(std::get<RunOptions>(command)), environment);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace fl::emu;
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  auto command = parse_command_line(arguments, version_text());
  if (!command) {
    return fail(command.error());
  }
  if (const auto* information = std::get_if<Information>(&*command)) {
    std::fputs(information->text.c_str(), stdout);
    return std::fflush(stdout) == 0 ? 0 : fail({"cannot write to standard output"});
  }
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.emplace_back(*variable);
  }
  const auto status = execute(std::move(*command), environment);
  return status ? *status : fail(status.error());
}
