// Starting a program so that its page faults are its own, and following it to its end.
//
// ASLR is off, the environment is exactly as given, standard output and standard error are pipes, limits are fixed. If
// it is allowed (root), the program has one processor and real-time priority, so that its tasks run one after the
// other, and process numbers of its own. Linux: clone(2), personality(2), sched(7), pid_namespaces(7), wait4(2).
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/record/perf_session.hpp"
#include "emu/record/unique_fd.hpp"

namespace fl::emu {

struct LaunchSpec {
  std::vector<std::string> command;  // command[0] is the path
  std::vector<std::string> environment;
  std::string cwd = {};   // empty: ours
  std::string root = {};  // the program's "/", where it begins; empty: ours
  std::string stdin_path = "/dev/null";
  uint32_t timeout_seconds = 0;  // for the program and all its descendants; 0: none
};

enum class OutputStream : uint8_t { kOut, kErr };
using OutputSink = std::function<void(OutputStream, std::string_view)>;

struct LaunchResult {
  pid_t pid = 0;             // of the program's first process,
  bool pid_is_init = false;  // or of its parent, process 1 of its namespace
  int exit_status = 0;       // 128 + signal if killed
  // Of the program and all its descendants, without the launcher's own. Descendants that were never waited for are
  // reaped by us.
  uint64_t minflt = 0, majflt = 0;
  uint64_t launcher_minflt = 0, launcher_majflt = 0;  // what was left out: the program's process before its execve
};

// Runs the program to the end of its last process. While it runs `session`, if any, is drained. Signals to us (INT,
// TERM, HUP) end the program and give an error with status 128 + signal, the timeout one with kExitTimeout. The caller
// must have no other children.
HostResult<LaunchResult> launch(const LaunchSpec& spec, PerfSession* session, const OutputSink& sink);

}  // namespace fl::emu
