// The options of `faultline run`, declared with CLI11.
#include "emu/cli/run_options.hpp"

#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <cmath>

#include "emu/cli/command_parser.hpp"
#include "emu/cli/disk_options.hpp"
#include "emu/cli/size.hpp"
#include "emu/cli/swap_options.hpp"
#include "emu/machine/machine_limits.hpp"
#include "vm/phys/fail_alloc.hpp"
#include "vm/reclaim/policy.hpp"

namespace fl::emu {
namespace {

// The values of options that need more than CLI11 does to read them.
struct RawOptions {
  std::string ram = "256M";
  std::string kernel = "6.1-i386";
  std::string cpu = "default";
  std::string clock = "virtual";
  std::string tmp = "tmpfs";
  std::string seed = "0";
  std::string dump;
  std::string timeout;
  std::string numa = "1";
  std::string memory_limit;
  std::string sample;
  int verify = 0;
  std::vector<std::string> plugins;
  std::vector<std::string> stats, strace;  // one for each time given; empty text: no =FILE
};

// "buddyinfo, iomem, ... or zoneinfo".
std::string dump_report_names() {
  std::string names;
  const auto reports = vm::memory_reports();
  for (const vm::MemoryReport& report : reports) {
    names += names.empty() ? "" : &report == &reports.back() ? " or " : ", ";
    names += report.name;
  }
  return names;
}

class RunParser final : public CommandParser {
 public:
  Texts texts() const override {
    return {.name = "run",
            .usage = "[OPTIONS] [--] PROGRAM [ARGS...]",
            .description = "Run PROGRAM, a static i386 ELF executable or a script that starts with #!",
            .footer =
                "Options stand before PROGRAM; what follows it belongs to the program. Example:\n"
                "  faultline run --stats --trace faults.jsonl ./program argument\n\n"
                "Exit status: the guest's, 128+N if signal N killed it; 124 after --timeout, 130 after Ctrl-C,\n"
                "143 after SIGTERM; 125 if faultline itself could not start or go on.",
            .usage_status = kExitHostError};
  }
  void declare(CLI::App& run) override;
  HostResult<Command> interpret(std::vector<std::string> program) override;

 private:
  RunOptions options_;
  RawOptions raw_;
  SwapParser swap_;
  DiskParser disk_;
  CLI::Option* fail_alloc_ = nullptr;
  CLI::Option* memory_limit_ = nullptr;
  CLI::Option* sample_ = nullptr;
};

void RunParser::declare(CLI::App& run) {
  run.add_option("--ram", raw_.ram, "Size of the simulated memory: bytes, or with K, M, G\n(1M to 4G; default 256M)")
      ->option_text("SIZE");
  run.add_option("--numa", raw_.numa, "Split the memory into N nodes, 1 to 8 (default 1)")->option_text("N");
  memory_limit_ = run.add_option("--memory-limit", raw_.memory_limit,
                                 "Limit the memory of all processes together, as a memory cgroup\n"
                                 "does (64K or more; default none)")
                      ->option_text("SIZE");
  swap_.declare(run);
  run.add_option("--reclaim", options_.machine.reclaim,
                 "Which pages leave memory first when it is short: lru (default:\n"
                 "as Linux), clock, or fifo")
      ->option_text("POLICY");
  disk_.declare(run);
  run.add_flag("--dmesg", options_.dmesg, "Print what the kernel says while it boots on stderr");
  fail_alloc_ = run.add_option("--fail-alloc", options_.machine.fail_alloc,
                               "Have allocations of pages and kernel objects fail: the N-th\n"
                               "(nth=N), every N-th (every=N), or each with probability X\n"
                               "(p=X, from --seed)")
                    ->option_text("HOW");
  run.add_option("--kernel", raw_.kernel,
                 "The kernel to imitate: 6.1-i386 (default) or 6.18-compat,\n"
                 "an x86-64 kernel that runs i386 programs")
      ->option_text("PROFILE");
  run.add_option("--cpu", raw_.cpu,
                 "The processor that the program sees: default (the same\n"
                 "everywhere), host, or that of a recording; less what Unicorn\n"
                 "does not have")
      ->option_text("CPU");
  options_.environment.declare(run);
  run.add_option("--root", options_.machine.root, "The directory that is / to the program (default /)")
      ->option_text("DIR");
  run.add_option("--rw", options_.machine.writable,
                 "Allow writing below DIR, a host directory inside the root\n"
                 "(repeatable); elsewhere files are read-only")
      ->option_text("DIR")
      ->allow_extra_args(false);
  run.add_option("--tmp", raw_.tmp,
                 "What /tmp is: tmpfs (default: the machine's own; PROGRAM's\n"
                 "directory, the working directory and those of --rw are seen in\n"
                 "it) or host (the host's)")
      ->option_text("KIND");
  run.add_option("--trace", options_.trace_path,
                 "Write a record of each page fault; the suffix of FILE is the\n"
                 "format: .jsonl, .csv or .txt")
      ->option_text("FILE");
  sample_ = run.add_option("--sample", raw_.sample,
                           "Each MS of the program's time write a row of how memory is used\n"
                           "to FILE, as CSV")
                ->option_text("MS,FILE");
  run.add_flag("--stats{}", raw_.stats, "At the end print on stderr what was counted; or as JSON to FILE")
      ->option_text("[=FILE]");
  run.add_flag("--strace{}", raw_.strace, "Print each system call and its result on stderr, or to FILE")
      ->option_text("[=FILE]");
  run.add_option("--plugin", raw_.plugins,
                 "Load a plugin, with options for it: it is told of events, may ask\n"
                 "about the machine and may decide (repeatable; faultline/plugin.h)")
      ->option_text("FILE[,NAME=VALUE...]")
      ->allow_extra_args(false);
  run.add_option("--log", options_.log_spec,
                 "Log levels, such as vm.fault=trace,guest=debug; levels: trace,\n"
                 "debug, info, warn (default), error, off")
      ->option_text("SPEC");
  run.add_option("--verify", raw_.verify,
                 "Check the memory system: 0 never (default), 1 after each memory\n"
                 "call, 2 also after each fault (slow)")
      ->option_text("0|1|2");
  run.add_option("--clock", raw_.clock,
                 "The program's time: virtual (default: advances with executed\n"
                 "code, so that runs repeat) or host")
      ->option_text("CLOCK");
  run.add_option("--seed", raw_.seed, "Seed of all randomness that the program sees (default 0)")->option_text("N");
  run.add_flag("--aslr", options_.machine.aslr, "Place stack, heap and mappings at random (from --seed)");
  run.add_option("--timeout", raw_.timeout, "Stop after this much real time, with status 124")->option_text("SECONDS");
  run.add_option("--dump", raw_.dump,
                 "At exit, and when SIGUSR1 comes, print on stderr: maps[:PID],\n"
                 "pagetable[:PID], walk:ADDR, or of the machine's memory:\n" +
                     dump_report_names() +
                     ";\n"
                     "at exit also leaks: memory that did not come back when all was\n"
                     "released; several of them separated by commas")
      ->option_text("WHAT");
}

HostResult<Command> RunParser::interpret(std::vector<std::string> program) {
  if (program.empty()) {
    return host_error("cannot run: there is no PROGRAM: see faultline run --help");
  }
  options_.command = std::move(program);
  FL_HOST_TRY_SET(options_.machine.ram_bytes, read_ram(raw_.ram));
  FL_HOST_TRY_SET(options_.machine.profile, read_profile(raw_.kernel));
  const auto nodes = parse_number(raw_.numa);
  if (!nodes || *nodes < 1 || *nodes > vm::kMaxNodes) {
    return host_error("cannot make so many nodes: {}: give 1 to {}", raw_.numa, vm::kMaxNodes);
  }
  options_.machine.nodes = static_cast<uint32_t>(*nodes);
  if (memory_limit_->count() > 0) {
    const auto bytes = parse_size(raw_.memory_limit);
    if (!bytes || *bytes < kLeastMemoryLimit) {
      return host_error("cannot use the memory limit: {}: give {} or more", raw_.memory_limit,
                        format_size(kLeastMemoryLimit));
    }
    options_.machine.memory_limit = *bytes;
  }
  FL_HOST_TRY_SET(options_.machine.swap, swap_.interpret());
  FL_HOST_TRY(disk_.interpret(options_.machine));
  if (vm::make_policy(options_.machine.reclaim) == nullptr) {
    return host_error("cannot reclaim by: {}: give {}", options_.machine.reclaim, fmt::join(vm::policy_names(), ", "));
  }
  if (fail_alloc_->count() > 0 && !vm::FailAlloc().configure(options_.machine.fail_alloc, 0)) {
    return host_error("cannot make allocations fail: {}: give nth=N, every=N or p=X with X from 0 to 1",
                      options_.machine.fail_alloc);
  }
  auto cpu = find_cpu(raw_.cpu);
  if (!cpu) {
    return tl::unexpected<HostError>(cpu.error());
  }
  options_.machine.cpu = std::move(*cpu);
  FL_HOST_TRY(options_.environment.check());
  for (const std::string& plugin : raw_.plugins) {
    auto spec = parse_plugin_spec(plugin);
    if (!spec) {
      return tl::unexpected<HostError>(spec.error());
    }
    options_.plugins.push_back(std::move(*spec));
  }
  options_.stats = ReportTarget::from(raw_.stats);
  options_.strace = ReportTarget::from(raw_.strace);
  if (raw_.verify < 0 || raw_.verify > 2) {
    return host_error("cannot verify at level: {}: give 0, 1 or 2", raw_.verify);
  }
  options_.machine.verify = static_cast<vm::VerifyLevel>(raw_.verify);
  if (raw_.clock != "virtual" && raw_.clock != "host") {
    return host_error("cannot use the clock: {}: give virtual or host", raw_.clock);
  }
  if (raw_.tmp != "tmpfs" && raw_.tmp != "host") {
    return host_error("cannot show as /tmp: {}: give tmpfs or host", raw_.tmp);
  }
  options_.machine.tmp = raw_.tmp == "host" ? guest::TmpKind::kHost : guest::TmpKind::kTmpfs;
  options_.machine.clock = raw_.clock == "host" ? ClockKind::kHost : ClockKind::kVirtual;
  const auto seed = parse_number(raw_.seed);
  if (!seed) {
    return host_error("cannot use the seed: {}: give a number of at most 64 bits", raw_.seed);
  }
  options_.machine.seed = *seed;
  if (!raw_.timeout.empty()) {
    double seconds = 0;
    constexpr double kMost = 1e9;
    if (!CLI::detail::lexical_cast(raw_.timeout, seconds) || !(seconds >= 0.001) || seconds > kMost) {
      return host_error("cannot use the timeout: {}: give seconds, 0.001 or more", raw_.timeout);
    }
    options_.machine.timeout_ms = static_cast<uint64_t>(std::llround(seconds * 1000));
  }
  if (sample_->count() > 0) {
    const size_t comma = std::min(raw_.sample.find(','), raw_.sample.size());
    const auto interval = parse_number(std::string_view(raw_.sample).substr(0, comma));
    if (!interval || *interval < 1 || *interval > 1'000'000'000 || comma + 1 >= raw_.sample.size()) {
      return host_error("cannot sample: {}: give milliseconds, 1 or more, and a file, as in 10,memory.csv",
                        raw_.sample);
    }
    options_.sample_ms = *interval;
    options_.sample_path = raw_.sample.substr(comma + 1);
  }
  if (!raw_.dump.empty()) {
    auto dumps = parse_dump_spec(raw_.dump);
    if (!dumps) {
      return tl::unexpected<HostError>(dumps.error());
    }
    options_.dumps = std::move(*dumps);
  }
  return std::move(options_);
}

}  // namespace

std::unique_ptr<CommandParser> make_run_parser() { return std::make_unique<RunParser>(); }

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
    } else if (const vm::MemoryReport* const report = vm::find_memory_report(kind); report != nullptr && !has_value) {
      request.kind = DumpRequest::Kind::kReport;
      request.report = report;
    } else if (kind == "leaks" && !has_value) {
      request.kind = DumpRequest::Kind::kLeaks;
    } else {
      return host_error("cannot dump: {}: give maps[:PID], pagetable[:PID], walk:ADDR, leaks or one of {}", item,
                        dump_report_names());
    }
    requests.push_back(request);
    if (comma == std::string_view::npos) {
      return requests;
    }
    spec = spec.substr(comma + 1);
  }
}

}  // namespace fl::emu
