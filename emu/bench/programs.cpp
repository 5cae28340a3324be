// Running and timing the workloads.
//
// Times are the processor time (user and system) of a process, which other work on the machine disturbs less than the
// wall-clock time; that is in the JSON beside it. Ratios are of times without start-up: the runner's
// median for `hello` is taken off, so that a runner's own loading time does not hide in the long programs. A runner
// whose output differs from the native one is reported and not timed.
//
// On a virtual machine the first touch of memory that the hypervisor has not given yet costs ten times as much as any
// other, and whichever runner meets it is charged. So before each run as much memory as a run uses is touched and
// freed.
#include "emu/bench/programs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>

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

struct Outcome {
  double cpu_seconds = 0, wall_seconds = 0;
  bool succeeded = false;
  std::string output;
};

// Has the hypervisor give the memory that the next process will use.
void settle_memory() {
  constexpr size_t kBytes = size_t{704} << 20, kPage = 4096;
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return;
  }
  madvise(memory, kBytes, MADV_HUGEPAGE);
  auto* bytes = static_cast<volatile char*>(memory);
  for (size_t at = 0; at < kBytes; at += kPage) {
    bytes[at] = 1;
  }
  munmap(memory, kBytes);
}

Outcome time_process(std::vector<std::string> command) {
  int out[2];
  if (pipe(out) != 0) {
    return {};
  }
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (std::string& argument : command) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    const int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDERR_FILENO);
    close(out[0]);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(out[1]);
  Outcome outcome;
  char buffer[4096];
  for (ssize_t got; (got = read(out[0], buffer, sizeof buffer)) > 0;) {
    outcome.output.append(buffer, static_cast<size_t>(got));
  }
  close(out[0]);
  int status = 0;
  rusage usage = {};
  wait4(child, &status, 0, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  outcome.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  outcome.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  outcome.succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return outcome;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
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
      std::vector<std::string> command = runner.prefix;
      command.push_back((fs::path(FL_BENCH_PROGRAMS) / workload.command[0]).string());
      command.insert(command.end(), workload.command.begin() + 1, workload.command.end());
      settle_memory();
      const Outcome outcome = time_process(command);
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
  if (!fs::exists(fs::path(FL_BENCH_PROGRAMS) / "hello")) {
    fmt::print("no programs: gcc -m32 was missing when the build was configured\n");
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
