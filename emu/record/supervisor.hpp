// Supervisor: follows a program that was started until it and all its descendants have ended: empties its pipes and the
// perf buffers, adds up what wait4 reports, and stops it if we are to stop. Linux: PR_SET_CHILD_SUBREAPER, pidfd_open.
#pragma once

#include <sched.h>

#include <chrono>
#include <csignal>
#include <optional>

#include "emu/record/launcher.hpp"

namespace fl::emu {

// What was started.
struct Family {
  pid_t pid = 0;     // our child
  UniqueFd reports;  // open: the child is process 1 of a namespace, and tells by these (pid_namespace.hpp)
  uint64_t launcher_minflt = 0, launcher_majflt = 0;  // of the program's process before its execve
};

class Supervisor {
 public:
  // Made before the program starts: from here on orphans among its descendants come to us, signals wait, and the
  // timeout (0: none) runs; if it is allowed, we come before the program where we need the processor that it has.
  Supervisor(PerfSession* session, const OutputSink& sink, uint32_t timeout_seconds);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor();

  HostResult<LaunchResult> follow(Family family, UniqueFd out, UniqueFd err);

 private:
  HostStatus watch();
  HostStatus take_signal();
  void read_pipe(UniqueFd& pipe, OutputStream stream);
  void reap();
  void add(int status, const struct rusage& usage, pid_t pid);
  void take_reports();
  void main_ended(int status);
  void end_all();
  // For poll(2).
  int wait_ms() const;

  using Clock = std::chrono::steady_clock;

  PerfSession* session_;
  const OutputSink& sink_;
  uint32_t timeout_seconds_;
  Clock::time_point deadline_;
  sigset_t old_mask_{};
  bool was_subreaper_ = false;
  std::optional<struct sched_param> old_priority_;
  int old_policy_ = SCHED_OTHER;
  UniqueFd signals_, main_, reports_;
  UniqueFd out_, err_;
  bool main_gone_ = false, all_gone_ = false, all_told_ = true;
  Clock::time_point main_end_;
  LaunchResult result_;
};

}  // namespace fl::emu
