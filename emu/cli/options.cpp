// The options of `faultline run`, declared with CLI11.
//
// CLI11 would look for options among the guest's arguments too, so the line is cut at PROGRAM before it sees it.
#include "emu/cli/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "emu/cli/size.hpp"

namespace fl::emu {
namespace {

constexpr const char* kDescription =
    "faultline runs i386 Linux programs on a simulated MMU and virtual-memory system and shows every page fault.";
constexpr const char* kFooter =
    "Options stand before PROGRAM; what follows it belongs to the program. Example:\n"
    "  faultline run --stats --trace faults.jsonl ./program argument\n\n"
    "Exit status: the guest's, 128+N if signal N killed it; 124 after --timeout, 130 after Ctrl-C, 143 after SIGTERM;\n"
    "125 if faultline itself could not start or go on.";
constexpr const char* kRunDescription = "Run PROGRAM, a static i386 ELF executable or a script that starts with #!";

// The values of options that need more than CLI11 does to read them.
struct RawOptions {
  std::string ram = "256M";
  std::string kernel = "6.1-i386";
  std::string clock = "virtual";
  std::string seed = "0";
  std::string dump;
  std::string timeout;
  int verify = 0;
  std::vector<std::string> stats, strace;  // one for each time given; empty text: no =FILE
};

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

void declare_run_options(CLI::App& run, RunOptions& options, RawOptions& raw) {
  run.formatter(std::make_shared<HelpFormatter>("faultline run [OPTIONS] [--] PROGRAM [ARGS...]"));
  run.add_option("--ram", raw.ram, "Size of the simulated memory: bytes, or with K, M, G\n(1M to 4G; default 256M)")
      ->option_text("SIZE");
  run.add_option("--kernel", raw.kernel,
                 "The kernel to imitate: 6.1-i386 (default) or 6.18-compat,\n"
                 "an x86-64 kernel that runs i386 programs")
      ->option_text("PROFILE");
  run.add_option("--env", options.set_environment, "Set a variable of the program's environment (repeatable)")
      ->option_text("NAME=VALUE")
      ->allow_extra_args(false);
  run.add_flag("--clear-env", options.clear_environment, "Do not pass the host's environment on");
  run.add_option("--root", options.machine.root, "The directory that is / to the program (default /)")
      ->option_text("DIR");
  run.add_option("--rw", options.machine.writable,
                 "Allow writing below DIR, a host directory inside the root\n"
                 "(repeatable); elsewhere files are read-only")
      ->option_text("DIR")
      ->allow_extra_args(false);
  run.add_option("--trace", options.trace_path,
                 "Write a record of each page fault; the suffix of FILE is the\n"
                 "format: .jsonl, .csv or .txt")
      ->option_text("FILE");
  run.add_flag("--stats{}", raw.stats, "At the end print on stderr what was counted; or as JSON to FILE")
      ->option_text("[=FILE]");
  run.add_flag("--strace{}", raw.strace, "Print each system call and its result on stderr, or to FILE")
      ->option_text("[=FILE]");
  run.add_option("--log", options.log_spec,
                 "Log levels, such as vm.fault=trace,guest=debug; levels: trace,\n"
                 "debug, info, warn (default), error, off")
      ->option_text("SPEC");
  run.add_option("--verify", raw.verify,
                 "Check the memory system: 0 never (default), 1 after each memory\n"
                 "call, 2 also after each fault (slow)")
      ->option_text("0|1|2");
  run.add_option("--clock", raw.clock,
                 "The program's time: virtual (default: advances with executed\n"
                 "code, so that runs repeat) or host")
      ->option_text("CLOCK");
  run.add_option("--seed", raw.seed, "Seed of all randomness that the program sees (default 0)")->option_text("N");
  run.add_flag("--aslr", options.machine.aslr, "Place stack, heap and mappings at random (from --seed)");
  run.add_option("--timeout", raw.timeout, "Stop after this much real time, with status 124")->option_text("SECONDS");
  run.add_option("--dump", raw.dump,
                 "At exit print on stderr: maps[:PID], pagetable[:PID], walk:ADDR,\n"
                 "or several of them separated by commas")
      ->option_text("WHAT");
}

// The index of the first argument that belongs to the guest: PROGRAM. `--` before it is skipped by the caller.
size_t find_program(std::span<const std::string> arguments, const CLI::App& run) {
  size_t i = 0;
  while (i < arguments.size() && arguments[i].size() > 1 && arguments[i][0] == '-' && arguments[i] != "--") {
    const CLI::Option* option = run.get_option_no_throw(arguments[i]);
    const bool value_follows = option != nullptr && option->get_expected_max() > 0;
    i += value_follows ? 2 : 1;
  }
  return std::min(i, arguments.size());
}

// The last of several decides, as for options with one value.
ReportTarget report_target(const std::vector<std::string>& given) {
  if (given.empty()) {
    return {};
  }
  const std::string& path = given.back();
  return path.empty() ? ReportTarget{ReportTarget::Kind::kStderr, {}} : ReportTarget{ReportTarget::Kind::kFile, path};
}

HostStatus interpret(const RawOptions& raw, RunOptions& options) {
  const auto ram = parse_size(raw.ram);
  if (!ram || *ram < kMinRamBytes || *ram > kMaxRamBytes) {
    return host_error("cannot use the RAM size: {}: give {} to {}", raw.ram, format_size(kMinRamBytes),
                      format_size(kMaxRamBytes));
  }
  options.machine.ram_bytes = *ram & ~uint64_t{kPageOffsetMask};
  options.machine.profile = vm::KernelProfile::find(raw.kernel);
  if (options.machine.profile == nullptr) {
    return host_error("cannot imitate the kernel: {}: give 6.1-i386 or 6.18-compat", raw.kernel);
  }
  for (const std::string& variable : options.set_environment) {
    if (variable.find('=') == std::string::npos || variable.starts_with('=')) {
      return host_error("cannot set the variable: {}: give NAME=VALUE", variable);
    }
  }
  options.stats = report_target(raw.stats);
  options.strace = report_target(raw.strace);
  if (raw.verify < 0 || raw.verify > 2) {
    return host_error("cannot verify at level: {}: give 0, 1 or 2", raw.verify);
  }
  options.machine.verify = static_cast<vm::VerifyLevel>(raw.verify);
  if (raw.clock != "virtual" && raw.clock != "host") {
    return host_error("cannot use the clock: {}: give virtual or host", raw.clock);
  }
  options.machine.clock = raw.clock == "host" ? ClockKind::kHost : ClockKind::kVirtual;
  const auto seed = parse_number(raw.seed);
  if (!seed) {
    return host_error("cannot use the seed: {}: give a number of at most 64 bits", raw.seed);
  }
  options.machine.seed = *seed;
  if (!raw.timeout.empty()) {
    double seconds = 0;
    constexpr double kMost = 1e9;
    if (!CLI::detail::lexical_cast(raw.timeout, seconds) || !(seconds >= 0.001) || seconds > kMost) {
      return host_error("cannot use the timeout: {}: give seconds, 0.001 or more", raw.timeout);
    }
    options.machine.timeout_ms = static_cast<uint64_t>(std::llround(seconds * 1000));
  }
  if (!raw.dump.empty()) {
    auto dumps = parse_dump_spec(raw.dump);
    if (!dumps) {
      return tl::unexpected<HostError>(dumps.error());
    }
    options.dumps = std::move(*dumps);
  }
  return {};
}

// CLI11's message on one line, with where to look next.
tl::unexpected<HostError> parse_error(const CLI::ParseError& error) {
  std::string text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return host_error("cannot read the command line: {}: see faultline run --help", text);
}

}  // namespace

HostResult<Command> parse_command_line(std::span<const std::string> arguments, const std::string& version) {
  RunOptions options;
  RawOptions raw;
  CLI::App app(kDescription, "faultline");
  app.formatter(std::make_shared<HelpFormatter>("faultline run [OPTIONS] [--] PROGRAM [ARGS...]"));
  app.footer(kFooter);
  bool show_version = false;
  app.add_flag("--version", show_version, "Print the versions of faultline, Unicorn and Capstone, and what is active");
  CLI::App& run = *app.add_subcommand("run", kRunDescription);
  declare_run_options(run, options, raw);
  run.footer(kFooter);

  std::vector<std::string> ours(arguments.begin(), arguments.end());
  const auto run_at = std::find(ours.begin(), ours.end(), "run");
  // Only --help and --version may stand before the command.
  const bool has_run = run_at != ours.end() && std::all_of(ours.begin(), run_at, [](const std::string& argument) {
                         return argument.starts_with('-') && argument != "--";
                       });
  if (has_run) {
    const size_t first = static_cast<size_t>(run_at - ours.begin()) + 1;
    size_t program = first + find_program(arguments.subspan(first), run);
    const bool separator = program < arguments.size() && arguments[program] == "--";
    options.command.assign(arguments.begin() + static_cast<ptrdiff_t>(program) + (separator ? 1 : 0), arguments.end());
    ours.resize(program);
  }
  try {
    std::reverse(ours.begin(), ours.end());  // CLI11 takes the vector from its end
    app.parse(std::move(ours));
  } catch (const CLI::CallForHelp&) {
    return Information{run.parsed() ? run.help("faultline") : app.help()};
  } catch (const CLI::ParseError& error) {
    return parse_error(error);
  }
  if (show_version) {
    return Information{version};
  }
  if (!run.parsed()) {
    return host_error("cannot read the command line: there is no command: try faultline run PROGRAM, or --help");
  }
  if (options.command.empty()) {
    return host_error("cannot run: there is no PROGRAM: see faultline run --help");
  }
  if (options.command[0].empty()) {
    return host_error("cannot run the program: '': its name is empty");
  }
  FL_HOST_TRY(interpret(raw, options));
  return options;
}

HostResult<std::vector<DumpRequest>> parse_dump_spec(std::string_view spec) {
  std::vector<DumpRequest> requests;
  while (true) {
    const size_t comma = spec.find(',');
    const std::string_view item = spec.substr(0, comma);
    const size_t colon = item.find(':');
    const std::string_view kind = item.substr(0, colon);
    const bool has_value = colon != std::string_view::npos;
    const uint64_t value = has_value ? parse_number(item.substr(colon + 1)).value_or(~uint64_t{0}) : 0;
    const bool fits = has_value && value <= 0xffffffffu;
    DumpRequest request;
    if ((kind == "maps" || kind == "pagetable") && fits == has_value) {
      request.kind = kind == "maps" ? DumpRequest::Kind::kMaps : DumpRequest::Kind::kPageTable;
      if (fits) {
        request.pid = static_cast<uint32_t>(value);
      }
    } else if (kind == "walk" && fits) {
      request.kind = DumpRequest::Kind::kWalk;
      request.addr = VirtAddr(static_cast<uint32_t>(value));
    } else {
      return host_error("cannot dump: {}: give maps[:PID], pagetable[:PID] or walk:ADDR", item);
    }
    requests.push_back(request);
    if (comma == std::string_view::npos) {
      return requests;
    }
    spec = spec.substr(comma + 1);
  }
}

std::vector<std::string> guest_environment(std::span<const std::string> host, const RunOptions& options) {
  std::vector<std::string> environment;
  if (!options.clear_environment) {
    environment.assign(host.begin(), host.end());
  }
  for (const std::string& variable : options.set_environment) {
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

}  // namespace fl::emu
