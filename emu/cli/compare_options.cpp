// The options of `faultline compare`, declared with CLI11.
#include "emu/cli/compare_options.hpp"

#include <CLI/CLI.hpp>

#include "emu/cli/command_parser.hpp"
#include "emu/compare/suite_files.hpp"

namespace fl::emu {
namespace {

struct RawOptions {
  std::string ram = "256M";
  std::string kernel;
  std::string level = "order";
  std::string runs = "5";
  std::string timeout = std::to_string(kCompareTimeoutSeconds);
  bool all = false;
};

class CompareParser final : public CommandParser {
 public:
  Texts texts() const override {
    return {.name = "compare",
            .usage =
                "[OPTIONS] [--] PROGRAM [ARGS...]\n       faultline "
                "compare [OPTIONS] --suite FILE",
            .description =
                "Run PROGRAM on real Linux and here, and compare "
                "their page faults one by one",
            .footer =
                "Options stand before PROGRAM; what follows it belongs "
                "to the program. Example:\n"
                "  faultline compare --clear-env --env A=1 -- ./program "
                "argument\n\n"
                "Exit status: 0 equal, 1 different, 2 for an error, 3 if "
                "there is no reference to compare with: the host\n"
                "cannot run i386 programs, or does not show its faults.",
            .usage_status = kExitUsage};
  }
  void declare(CLI::App& app) override;
  HostResult<Command> interpret(std::vector<std::string> program) override;

 private:
  HostStatus check_suite(const std::vector<std::string>& program) const;
  CompareOptions options_;
  RawOptions raw_;
};

void CompareParser::declare(CLI::App& app) {
  app.add_option("--kernel", raw_.kernel,
                 "The kernel to imitate, 6.1-i386 or 6.18-compat\n(default: "
                 "the one that fits the reference)")
      ->option_text("PROFILE");
  app.add_option("--level", raw_.level,
                 "What must be equal: total (how many), pages (which pages, how\n"
                 "often, by what access), order (default: also in which order)")
      ->option_text("LEVEL");
  app.add_option("--against", options_.request.against,
                 "Compare with a record that `faultline record` wrote; "
                 "without\nPROGRAM its program is run")
      ->option_text("FILE");
  app.add_flag("--accept-changed", options_.request.accept_changed,
               "Compare although PROGRAM is not the file that was recorded");
  app.add_option("--runs", raw_.runs, "Native runs, of which the most frequent list counts (default 5)")
      ->option_text("N");
  app.add_option("--timeout", raw_.timeout, "Give up if a run, native or here, takes longer (default 120;\n0: never)")
      ->option_text("SECONDS");
  app.add_option("--json", options_.json_path, "Write the whole comparison as JSON")->option_text("FILE");
  app.add_flag("--all", raw_.all, "Describe every difference, not only the first 20");
  app.add_option("--ram", raw_.ram, "Size of the simulated memory (1M to 4G; default 256M)")->option_text("SIZE");
  options_.environment.declare(app);
  app.add_option("--stdin", options_.request.run.stdin_path, "The program's input (default /dev/null)")
      ->option_text("FILE");
  app.add_option("--root", options_.root, "The directory that is / to the program, where it begins\n(needs root)")
      ->option_text("DIR");
  app.add_option("--rw", options_.request.run.machine.writable,
                 "Allow the simulated program to write below DIR "
                 "(repeatable);\nthe native one may always")
      ->option_text("DIR")
      ->allow_extra_args(false);
  SuiteOptions& suite = options_.suite;
  suite.scratch = kSuiteFolder;
  app.add_option("--suite", suite.path, "Compare each program of a table instead")->option_text("FILE");
  app.add_option("--programs", suite.programs, "The folder of the suite's programs")->option_text("DIR");
  app.add_option("--against-dir", suite.against_dir, "Compare with stored records: DIR/FLAVOUR/NAME.json")
      ->option_text("DIR");
  app.add_option("--record-dir", suite.record_dir, "Store the records that are made")->option_text("DIR");
  app.add_option("--markdown", suite.markdown, "Write the suite's results as a table")->option_text("FILE");
  app.add_option("--filter", suite.filter, "Only entries with TEXT in FLAVOUR/NAME")->option_text("TEXT");
  app.add_option("--scratch", suite.scratch,
                 "Where the suite's programs run "
                 "(default\n/tmp/faultline-suite; a record holds for one path)")
      ->option_text("DIR");
}

HostStatus CompareParser::check_suite(const std::vector<std::string>& program) const {
  if (!program.empty() || !options_.request.against.empty()) {
    return host_error(
        "cannot compare: --suite stands without PROGRAM and "
        "--against: see faultline compare --help");
  }
  if (options_.suite.programs.empty()) {
    return host_error(
        "cannot compare a suite: give the folder of its programs "
        "with --programs");
  }
  if (!options_.suite.against_dir.empty() && !options_.suite.record_dir.empty()) {
    return host_error("cannot compare a suite: give --against-dir or --record-dir, not both");
  }
  return {};
}

HostResult<Command> CompareParser::interpret(std::vector<std::string> program) {
  CompareRequest& request = options_.request;
  if (!options_.suite.path.empty()) {
    FL_HOST_TRY(check_suite(program));
  } else if (program.empty() && request.against.empty()) {
    return host_error("cannot compare: there is no PROGRAM: see faultline compare --help");
  }
  request.run.command = std::move(program);
  FL_HOST_TRY_SET(request.run.machine.ram_bytes, read_ram(raw_.ram));
  if (!raw_.kernel.empty()) {
    FL_HOST_TRY_SET(request.profile, read_profile(raw_.kernel));
  }
  const auto level = parse_level(raw_.level);
  if (!level) {
    return host_error("cannot compare at level: {}: give total, pages or order", raw_.level);
  }
  request.level = *level;
  if (!options_.root.empty()) {
    request.run.machine.root = options_.root;
    request.run.directory = options_.root;
  }
  FL_HOST_TRY_SET(request.runs, read_runs(raw_.runs));
  FL_HOST_TRY_SET(request.timeout_seconds, read_timeout(raw_.timeout));
  FL_HOST_TRY(options_.environment.check());
  options_.detail = raw_.all ? Detail::kAll : Detail::kFirst;
  return std::move(options_);
}

}  // namespace

std::unique_ptr<CommandParser> make_compare_parser() { return std::make_unique<CompareParser>(); }

}  // namespace fl::emu
