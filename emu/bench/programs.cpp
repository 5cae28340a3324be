// Running and timing the workloads.
//
// Times are the processor time (user and system) of a process, which other work on the machine disturbs less than the
// wall-clock time; that is in the JSON beside it. Ratios are of times without start-up: the runner's
// median for `hello` is taken off, so that a runner's own loading time does not hide in the long programs. A runner
// whose output differs from the native one is reported and not timed.
#include "emu/bench/programs.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>

#include "emu/bench/timing.hpp"

namespace fl::emu::bench {
namespace {

namespace fs = std::filesystem;

struct Workload {
  std::string name;
  std::vector<std::string> command;  // program (below FL_BENCH_PROGRAMS) and arguments
  bool on_floor = true;
};

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> kList = {
      {"start-up", {"hello"}},
      {"compute", {"bench_compute", "11", "5"}},
      {"stream 64 MiB", {"bench_memory", "stream", "10"}},
      {"random 64 MiB", {"bench_memory", "random", "2"}},
      {"first touch 256 MiB", {"bench_first_touch", "256", "1"}},
      {"system calls 1M", {"bench_syscall", "1000000"}},
      {"system calls 1M, int 0x80", {"bench_syscall", "1000000", "int80"}},
  };
  return kList;
}

struct Runner {
  std::string name;
  std::vector<std::string> prefix;
};

std::optional<std::string> find_in_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  for (std::string rest = path != nullptr ? path : ""; !rest.empty();) {
    const size_t colon = rest.find(':');
    const fs::path candidate = fs::path(rest.substr(0, colon)) / name;
    if (access(candidate.c_str(), X_OK) == 0) {
      return candidate.string();
    }
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  return std::nullopt;
}

std::vector<Runner> runners(const std::string& self) {
  std::vector<Runner> list = {{"native", {}}};
  for (const char* name : {"qemu-i386", "qemu-i386-static"}) {
    if (const auto path = find_in_path(name)) {
      list.push_back({"qemu", {*path}});
      break;
    }
  }
  list.push_back({"floor", {self, "--floor"}});
  list.push_back({"faultline", {FL_FAULTLINE, "run", "--ram", "512M", "--"}});
  return list;
}

using Times = std::map<std::string, std::vector<double>>;
struct Measured {
  Times cpu, wall;
};

Measured measure(const Workload& workload, const std::vector<Runner>& list, unsigned rounds) {
  Measured times;
  std::string expected;
  for (unsigned round = 0; round < rounds; ++round) {
    for (const Runner& runner : list) {
      settle_memory();
      const Outcome outcome = time_process(command_line(runner.prefix, workload.command));
      if (expected.empty()) {
        expected = outcome.output;
      }
      if (!outcome.succeeded || outcome.output != expected) {
        fmt::print(stderr, "{} under {}: {}\n", workload.name, runner.name,
                   outcome.succeeded ? "other output than natively" : "failed");
        continue;
      }
      times.cpu[runner.name].push_back(outcome.cpu_seconds);
      times.wall[runner.name].push_back(outcome.wall_seconds);
    }
  }
  return times;
}

std::string ratio(const std::map<std::string, double>& net, const char* to) {
  const auto faultline = net.find("faultline"), other = net.find(to);
  if (faultline == net.end() || other == net.end() || other->second <= 0) {
    return "-";
  }
  return fmt::format("{:.2f}", faultline->second / other->second);
}

}  // namespace

nlohmann::json run_program_benchmarks(const ProgramBenchmarkOptions& options) {
  nlohmann::json result = nlohmann::json::array();
  if (!have_programs()) {
    return result;
  }
  const std::vector<Runner> list = runners(options.self);
  fmt::print("{:28} {:>9} {:>9} {:>9} {:>9}   faultline over native, qemu, floor\n", "median CPU seconds", "native",
             "qemu", "floor", "faultline");
  std::map<std::string, double> start_up;
  for (const Workload& workload : workloads()) {
    const bool wanted = options.only.empty() || workload.name == "start-up" ||
                        std::find(options.only.begin(), options.only.end(), workload.name) != options.only.end();
    if (!wanted) {
      continue;
    }
    const Measured times = measure(workload, list, options.rounds);
    std::map<std::string, double> medians, net, wall;
    for (const auto& [runner, seconds] : times.cpu) {
      medians[runner] = median(seconds);
      wall[runner] = median(times.wall.at(runner));
      net[runner] = medians[runner] - (start_up.contains(runner) ? start_up[runner] : 0);
    }
    const auto shown = [&](const char* runner) {
      return medians.contains(runner) ? fmt::format("{:.4f}", medians[runner]) : std::string("-");
    };
    fmt::print("{:28} {:>9} {:>9} {:>9} {:>9}   {:>6} {:>6} {:>6}\n", workload.name, shown("native"), shown("qemu"),
               shown("floor"), shown("faultline"), ratio(net, "native"), ratio(net, "qemu"), ratio(net, "floor"));
    if (workload.name == "start-up") {
      start_up = medians;
      fmt::print("{:28} wall-clock time of faultline: {:.4f} s\n", "",
                 wall.contains("faultline") ? wall["faultline"] : 0);
    }
    std::fflush(stdout);
    result.push_back({{"workload", workload.name},
                      {"command", workload.command},
                      {"cpu_seconds", times.cpu},
                      {"wall_seconds", times.wall},
                      {"median_cpu", medians},
                      {"median_wall", wall},
                      {"median_cpu_without_start_up", net}});
  }
  return result;
}

}  // namespace fl::emu::bench
