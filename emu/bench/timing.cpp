// Starting programs and reading what the kernel counted for them.
#include "emu/bench/timing.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

namespace fl::emu::bench {
namespace fs = std::filesystem;

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
  // Of the child and of the children that it has waited for.
  wait4(child, &status, 0, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  outcome.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  outcome.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  outcome.succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return outcome;
}

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

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::vector<std::string> command_line(const std::vector<std::string>& prefix, const std::vector<std::string>& command) {
  std::vector<std::string> result = prefix;
  result.push_back((fs::path(FL_BENCH_PROGRAMS) / command[0]).string());
  result.insert(result.end(), command.begin() + 1, command.end());
  return result;
}

bool have_programs() {
  if (fs::exists(fs::path(FL_BENCH_PROGRAMS) / "hello")) {
    return true;
  }
  fmt::print("no programs: gcc -m32 was missing when the build was configured\n");
  return false;
}

}  // namespace fl::emu::bench
