// Starts a program the way the reference measurements did: ASLR off, environment exactly as given, stdout and stderr
// pipes, and a start that adds no page faults of its own to the program's count.
//
// The child is made with CLONE_VM | CLONE_VFORK (a fork would be charged for its copy-on-write faults, which execve
// does not reset); what little it does before execve is measured there and subtracted. Linux: clone(2), execve(2),
// wait4(2).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fl::test {

struct RunSpec {
  std::filesystem::path program;
  std::vector<std::string> args = {};  // without argv[0], which is the program's path
  std::vector<std::string> env = {"A=1"};
  std::filesystem::path cwd = {};  // empty: ours
  std::filesystem::path stdin_file = "/dev/null";
  std::chrono::milliseconds timeout = std::chrono::seconds(60);
  bool aslr = false;
  // Sends a signal to the program once, some time after its start.
  int signal = 0;
  std::chrono::milliseconds signal_after{0};
};

struct RunResult {
  std::string output;    // standard output
  std::string error;     // standard error
  int exit_status = -1;  // 128 + signal if killed, as a shell has it
  int signal = 0;
  long minflt = 0;  // of the program alone
  long majflt = 0;
  long max_rss_kib = 0;
  int pid = 0;
  bool timed_out = false;
  double seconds = 0;
};

// Throws std::system_error if the program cannot be started.
RunResult run_process(const RunSpec& spec);

}  // namespace fl::test
