// The options of `faultline record`, declared with CLI11.
#include "emu/cli/record_options.hpp"

#include <CLI/CLI.hpp>

#include "emu/cli/command_parser.hpp"

namespace fl::emu {
namespace {

class RecordParser final : public CommandParser {
 public:
  Texts texts() const override {
    return {.name = "record",
            .usage = "[OPTIONS] [--] PROGRAM [ARGS...]",
            .description = "Run PROGRAM natively and record the page faults that real Linux takes for it",
            .footer =
                "The program runs once to warm the caches (this run's output is shown) and then N times without\n"
                "ASLR, with standard output and error as pipes. The list that came most often is kept. Example:\n"
                "  faultline record --clear-env --env A=1 --output hello.json ./hello\n\n"
                "Root sees everything. kernel.perf_event_paranoid at most 1 lets others see all faults, 2 those of\n"
                "user mode; the exact access of each fault, and the pages of get_user_pages faults, need root.\n\n"
                "Exit status: 0 if the recording succeeded, whatever the program's own status, which is shown;\n"
                "2 for a command line that cannot be used; 3 if this host cannot run i386 programs or does not\n"
                "allow to record; 124 after --timeout; 125 if recording failed; 128+N if it was stopped by signal N.",
            .usage_status = kExitUsage};
  }

  void declare(CLI::App& record) override {
    options_.environment.declare(record);
    record.add_option("--runs", runs_, "Record N runs (1 to 1000; default 5)")->option_text("N");
    record.add_option("--stdin", options_.stdin_path, "The program's standard input (default /dev/null)")
        ->option_text("FILE");
    record.add_option("--root", options_.root, "The directory that is / to the program, where it begins (needs root)")
        ->option_text("DIR");
    record.add_option("--timeout", timeout_, "Give up if a run takes longer (default 0: never)")
        ->option_text("SECONDS");
    record.add_option("--output", options_.output_path, "Write the record, for faultline compare --against")
        ->option_text("FILE");
    record
        .add_option("--trace", options_.trace_path,
                    "Write the faults as faultline run --trace does; what only a\n"
                    "simulated kernel knows is left out")
        ->option_text("FILE");
    record.add_option("--stats", options_.stats_path, "Write the counts as JSON, as faultline run --stats=FILE does")
        ->option_text("FILE");
  }

  HostResult<Command> interpret(std::vector<std::string> program) override {
    if (program.empty()) {
      return host_error("cannot record: there is no PROGRAM: see faultline record --help");
    }
    FL_HOST_TRY_SET(options_.runs, read_runs(runs_));
    FL_HOST_TRY_SET(options_.timeout_seconds, read_timeout(timeout_));
    FL_HOST_TRY(options_.environment.check());
    options_.command = std::move(program);
    return std::move(options_);
  }

 private:
  RecordOptions options_;
  std::string runs_ = "5";
  std::string timeout_ = "0";
};

}  // namespace

std::unique_ptr<CommandParser> make_record_parser() { return std::make_unique<RecordParser>(); }

}  // namespace fl::emu
