// The command line: which command it is, and where the guest's arguments begin.
//
// CLI11 would look for options among the guest's arguments too, so the line is cut at PROGRAM before it sees it.
#include "emu/cli/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "emu/cli/command_parser.hpp"

namespace fl::emu {
namespace {

constexpr const char* kDescription =
    "faultline runs i386 Linux programs on a simulated MMU and virtual-memory system and shows every page fault.";
constexpr const char* kFooter = "faultline COMMAND --help says more.";

// The commands, in the order of --help.
constexpr std::array kCommands{make_run_parser, make_compare_parser, make_record_parser};

// CLI11's help with a usage line that says where the guest's arguments begin.
class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) {}
  std::string make_usage(const CLI::App*, std::string) const override { return "Usage: " + usage_ + "\n"; }
  // Without the "{}" that marks a flag with an optional value; the value itself is the option text, "[=FILE]".
  std::string make_option_name(const CLI::Option* option, bool positional) const override {
    std::string name = CLI::Formatter::make_option_name(option, positional);
    if (name.ends_with("{}")) {
      name.resize(name.size() - 2);
    }
    return name;
  }

 private:
  std::string usage_;
};

// A command and its place in the command line.
struct Entry {
  std::unique_ptr<CommandParser> parser;
  CLI::App* app = nullptr;
};

std::vector<Entry> declare_commands(CLI::App& app) {
  std::vector<Entry> entries;
  for (const auto make : kCommands) {
    Entry entry{make()};
    const CommandParser::Texts texts = entry.parser->texts();
    entry.app = app.add_subcommand(texts.name, texts.description);
    entry.app->formatter(std::make_shared<HelpFormatter>(fmt::format("faultline {} {}", texts.name, texts.usage)));
    entry.app->footer(texts.footer);
    entry.parser->declare(*entry.app);
    entries.push_back(std::move(entry));
  }
  return entries;
}

// The command's place in `arguments`, or their end. Only --help and --version may stand before it.
size_t find_command(std::span<const std::string> arguments) {
  size_t i = 0;
  while (i < arguments.size() && arguments[i].starts_with('-') && arguments[i] != "--") {
    ++i;
  }
  return i;
}

// The index of the first argument that belongs to the guest: PROGRAM. `--` before it is skipped by the caller.
size_t find_program(std::span<const std::string> arguments, const CLI::App& command) {
  size_t i = 0;
  while (i < arguments.size() && arguments[i].size() > 1 && arguments[i][0] == '-' && arguments[i] != "--") {
    const CLI::Option* option = command.get_option_no_throw(arguments[i]);
    const bool value_follows = option != nullptr && option->get_expected_max() > 0;
    i += value_follows ? 2 : 1;
  }
  return std::min(i, arguments.size());
}

// CLI11's message on one line, with where to look next.
HostError parse_error(const CLI::ParseError& error, const Entry* entry) {
  std::string text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  const std::string_view command = entry != nullptr ? entry->parser->texts().name : "";
  return {fmt::format("cannot read the command line: {}: see faultline {}{}--help", text, command,
                      command.empty() ? "" : " ")};
}

// A command's own exit status for what cannot be used.
HostError with_status(HostError error, const Entry& entry) {
  error.status = entry.parser->texts().usage_status;
  return error;
}

}  // namespace

HostResult<Command> parse_command_line(std::span<const std::string> arguments, const std::string& version) {
  CLI::App app(kDescription, "faultline");
  app.formatter(std::make_shared<HelpFormatter>("faultline COMMAND [OPTIONS] ..."));
  app.footer(kFooter);
  bool show_version = false;
  app.add_flag("--version", show_version, "Print the versions of faultline, Unicorn and Capstone, and what is active");
  const std::vector<Entry> entries = declare_commands(app);

  std::vector<std::string> ours(arguments.begin(), arguments.end()), program;
  const size_t at = find_command(arguments);
  const auto entry = std::find_if(entries.begin(), entries.end(), [&](const Entry& one) {
    return at < arguments.size() && one.app->get_name() == arguments[at];
  });
  const Entry* const command = entry == entries.end() ? nullptr : &*entry;
  if (command != nullptr) {
    const size_t first = at + 1 + find_program(arguments.subspan(at + 1), *command->app);
    const bool separator = first < arguments.size() && arguments[first] == "--";
    program.assign(arguments.begin() + static_cast<ptrdiff_t>(first) + (separator ? 1 : 0), arguments.end());
    ours.resize(first);
  }
  try {
    std::reverse(ours.begin(), ours.end());  // CLI11 takes the vector from its end
    app.parse(std::move(ours));
  } catch (const CLI::CallForHelp&) {
    return Information{command != nullptr && command->app->parsed() ? command->app->help("faultline") : app.help()};
  } catch (const CLI::ParseError& error) {
    HostError message = parse_error(error, command);
    return tl::unexpected(command != nullptr ? with_status(std::move(message), *command) : std::move(message));
  }
  if (show_version) {
    return Information{version};
  }
  if (command == nullptr) {
    return host_error("cannot read the command line: there is no command: try faultline run PROGRAM, or --help");
  }
  auto result = !program.empty() && program[0].empty() ? host_error("cannot run the program: '': its name is empty")
                                                       : command->parser->interpret(std::move(program));
  if (!result) {
    return tl::unexpected(with_status(std::move(result.error()), *command));
  }
  return result;
}

}  // namespace fl::emu
