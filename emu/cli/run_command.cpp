// Putting a run together. Everything that can be refused is opened before the program starts; everything that was asked
// for is written after it, also when it was stopped.
#include "emu/cli/run_command.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "emu/base/logging.hpp"
#include "emu/base/output_file.hpp"
#include "emu/machine/machine.hpp"
#include "emu/machine/observers.hpp"
#include "emu/machine/run_statistics.hpp"
#include "emu/plugin/plugin_host.hpp"
#include "emu/report/statistics.hpp"
#include "emu/sample/sampler.hpp"
#include "emu/strace/strace.hpp"
#include "emu/trace/fault_tracer.hpp"
#include "guest/task.hpp"

namespace fl::emu {
namespace {

// What SIGUSR1 prints when nothing was asked for.
std::vector<DumpRequest> default_dumps() {
  std::vector<DumpRequest> requests;
  for (const std::string_view name : {"meminfo", "buddyinfo"}) {
    if (const vm::MemoryReport* const report = vm::find_memory_report(name)) {
      requests.push_back({.kind = DumpRequest::Kind::kReport, .report = report});
    }
  }
  return requests;
}

// What listens during a run and speaks after it.
struct Reports {
  explicit Reports(const RunOptions& options)
      : dumps(options.dumps), signal_dumps(options.dumps.empty() ? default_dumps() : options.dumps) {}

  ObserverList observers;
  ProcessCollector processes;
  DumpCollector dumps;
  DumpCollector signal_dumps;  // what SIGUSR1 prints
  std::unique_ptr<Strace> strace;
  std::unique_ptr<OutputFile> stats_file;
  std::unique_ptr<FaultTracer> tracer;
  std::unique_ptr<Sampler> sampler;
  std::unique_ptr<PluginHost> plugins;  // null: none
};

HostResult<std::unique_ptr<OutputFile>> open_report(const ReportTarget& target, std::string_view what) {
  return target.kind == ReportTarget::Kind::kFile ? OutputFile::create(target.path, what)
                                                  : OutputFile::on_descriptor(STDERR_FILENO, what);
}

HostStatus open_reports(const RunOptions& options, Reports& reports) {
  if (options.strace.kind != ReportTarget::Kind::kOff) {
    auto file = open_report(options.strace, "system-call trace");
    if (!file) {
      return tl::unexpected<HostError>(file.error());
    }
    const bool file_only = options.strace.kind == ReportTarget::Kind::kFile;
    reports.strace =
        std::make_unique<Strace>(std::move(*file), file_only ? Strace::Flush::kWhenFull : Strace::Flush::kEachLine);
    reports.observers.add(*reports.strace);
  }
  if (options.stats.kind != ReportTarget::Kind::kOff) {
    auto file = open_report(options.stats, "statistics");
    if (!file) {
      return tl::unexpected<HostError>(file.error());
    }
    reports.stats_file = std::move(*file);
    reports.observers.add(reports.processes);
  }
  if (!options.dumps.empty()) {
    reports.observers.add(reports.dumps);
  }
  if (!options.plugins.empty()) {
    auto plugins = PluginHost::load(options.plugins);
    if (!plugins) {
      return tl::unexpected<HostError>(plugins.error());
    }
    reports.plugins = std::move(*plugins);
    if (guest::KernelObserver* const observer = reports.plugins->kernel_observer(); observer != nullptr) {
      reports.observers.add(*observer);
    }
  }
  return {};
}

// A program that could not be started leaves the user's files as they were; from here on they are this run's.
void begin_reports(Reports& reports) {
  if (reports.tracer != nullptr) {
    reports.tracer->begin();
  }
  if (reports.sampler != nullptr) {
    reports.sampler->begin();
  }
  if (reports.strace != nullptr) {
    reports.strace->begin();
  }
  if (reports.stats_file != nullptr) {
    reports.stats_file->begin();
  }
}

// Writes everything; the first error is returned, but the others are tried.
HostStatus write_reports(const RunOptions& options, Machine& machine, Reports& reports) {
  HostStatus status;
  const auto note = [&status](HostStatus other) {
    if (status && !other) {
      status = std::move(other);
    }
  };
  // Who has not ended: the run was stopped.
  for (const guest::Task& task : machine.kernel().tasks()) {
    if (task.alive()) {
      reports.processes.add(task);
      reports.dumps.add(task);
    }
  }
  if (reports.tracer != nullptr) {
    note(reports.tracer->finish());
  }
  if (reports.sampler != nullptr) {
    note(reports.sampler->finish(machine.memory(), machine.now_ns()));
  }
  if (reports.strace != nullptr) {
    note(reports.strace->finish());
  }
  fmt::print(stderr, "{}", reports.dumps.finish(machine.memory()));
  if (reports.stats_file != nullptr) {
    const RunStatistics statistics = collect_statistics(machine, reports.processes);
    reports.stats_file->append(options.stats.kind == ReportTarget::Kind::kFile ? statistics_json(statistics)
                                                                               : format_statistics(statistics));
    note(reports.stats_file->close());
  }
  return status;
}

// "leaks: none", or what did not come back; and how often memory was asked for while --fail-alloc was at work.
std::string describe_leaks(Machine& machine) {
  std::string text = "leaks:";
  const std::vector<std::string> leaks = machine.find_leaks();
  for (const std::string& leak : leaks) {
    text += "\n  " + leak;
  }
  const vm::FailAlloc& failing = machine.memory().pages().fail_alloc();
  return fmt::format("{}\nallocations: {}, {} made to fail\n", leaks.empty() ? "leaks: none" : text, failing.asked(),
                     failing.failures());
}

// The plugins, from the machine's start to its end, also if the program could not be started.
class PluginRun {
 public:
  PluginRun(PluginHost* plugins, Machine& machine) : plugins_(plugins) {
    if (plugins_ != nullptr) {
      plugins_->attach(machine);
    }
  }
  PluginRun(const PluginRun&) = delete;
  PluginRun& operator=(const PluginRun&) = delete;
  ~PluginRun() { finish(); }
  void program_loaded() const {
    if (plugins_ != nullptr) {
      plugins_->program_loaded();
    }
  }
  void finish() const {
    if (plugins_ != nullptr) {
      plugins_->finish();
    }
  }

 private:
  PluginHost* plugins_;
};

// Tells of leaks when the machine's work has ended, also if the program could not be started.
class LeakReport {
 public:
  LeakReport(const RunOptions& options, Machine& machine)
      : machine_(machine), wanted_(std::any_of(options.dumps.begin(), options.dumps.end(), [](const DumpRequest& dump) {
          return dump.kind == DumpRequest::Kind::kLeaks;
        })) {}
  LeakReport(const LeakReport&) = delete;
  LeakReport& operator=(const LeakReport&) = delete;
  ~LeakReport() {
    if (wanted_) {
      fmt::print(stderr, "{}", describe_leaks(machine_));
    }
  }

 private:
  Machine& machine_;
  bool wanted_;
};

}  // namespace

HostResult<int> run_command(RunOptions options, std::span<const std::string> host_environment) {
  FL_HOST_TRY(set_up_logging(options.log_spec));
  Reports reports(options);
  FL_HOST_TRY(open_reports(options, reports));
  options.machine.observer = reports.observers.empty() ? nullptr : &reports.observers;
  options.machine.oom_chooser = reports.plugins != nullptr ? reports.plugins->oom_chooser() : nullptr;
  Machine* running = nullptr;
  options.machine.on_report = [&] {
    if (running != nullptr) {
      fmt::print(stderr, "{}", reports.signal_dumps.now(running->kernel(), running->memory()));
      std::fflush(stderr);
    }
  };
  options.machine.program = options.command[0];
  auto created = Machine::create(options.machine);
  if (!created) {
    return tl::unexpected<HostError>(created.error());
  }
  Machine& machine = **created;
  const LeakReport leak_report(options, machine);
  if (options.dmesg) {
    for (const std::string& line : machine.memory().boot_log()) {
      fmt::print(stderr, "{}\n", line);
    }
  }
  if (!options.trace_path.empty()) {
    auto tracer =
        FaultTracer::create(options.trace_path, machine.mmu(), *options.machine.profile, options.machine.root);
    if (!tracer) {
      return tl::unexpected<HostError>(tracer.error());
    }
    reports.tracer = std::move(*tracer);
    machine.attach(*reports.tracer);
  }
  if (!options.sample_path.empty()) {
    auto sampler = Sampler::create(options.sample_path, options.sample_ms * 1'000'000);
    if (!sampler) {
      return tl::unexpected<HostError>(sampler.error());
    }
    reports.sampler = std::move(*sampler);
    machine.attach(*reports.sampler);
  }
  const PluginRun plugin_run(reports.plugins.get(), machine);
  FL_HOST_TRY(machine.start(
      {.path = options.command[0], .argv = options.command, .env = options.environment.apply(host_environment)}));
  begin_reports(reports);
  plugin_run.program_loaded();
  running = &machine;
  const guest::Outcome outcome = machine.run();
  plugin_run.finish();
  FL_HOST_TRY(write_reports(options, machine, reports));
  switch (outcome.kind) {
    case guest::Outcome::Kind::kStopped:
      return exit_status(machine.stop().reason());
    case guest::Outcome::Kind::kDeadlock:
    case guest::Outcome::Kind::kPanic:
      return host_error("{}", outcome.report);
    case guest::Outcome::Kind::kExited:
      break;
  }
  return outcome.exit_status();
}

}  // namespace fl::emu
