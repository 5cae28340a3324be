// ThreadGroup: a process: what its threads share, and its place in the family of processes. Linux counterpart: struct
// signal_struct, and of task_struct what only a group leader has (children, real_parent, pids of group and session).
//
// Lives as long as one of its tasks; its leader stays a zombie until the parent has waited. A parent outlives its
// children's pointers to it: when it ends they are given to the world outside (null), which every process without a
// parent in the machine has as parent, with pid 1, and which waits at once.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "guest/process/limits.hpp"
#include "guest/signal/signal.hpp"
#include "guest/task/wait_queue.hpp"
#include "guest/time/posix_timer.hpp"
#include "guest/time/timer_queue.hpp"
#include "vm/fault/fault_record.hpp"

namespace fl::guest {

class Kernel;
struct Task;
struct ThreadGroup;

// A task in the list of its process's threads. Linux: thread_node.
struct ThreadLink : boost::intrusive::list_base_hook<> {
  explicit ThreadLink(Task& owner) : task(owner) {}
  Task& task;
};

// What threads or processes used. Linux: part of struct signal_struct and of struct rusage.
struct ResourceUse {
  uint64_t cpu_ns = 0;
  uint64_t minor_faults = 0, major_faults = 0;
  uint64_t voluntary_switches = 0, involuntary_switches = 0;
  uint64_t max_rss_kb = 0;
  void add(const ResourceUse& other);
};

// ITIMER_REAL. Linux: signal_struct::real_timer, it_real_fn.
class RealTimer final : public Timer {
 public:
  RealTimer(Kernel& kernel, ThreadGroup& group) : kernel_(kernel), group_(group) {}
  void expire() override;
  uint64_t interval_ns = 0;

 private:
  Kernel& kernel_;
  ThreadGroup& group_;
};

struct ThreadGroup {
  using ListHook = boost::intrusive::list_member_hook<>;
  ThreadGroup(Kernel& kernel, uint32_t id) : tgid(id), real_timer(kernel, *this) {}

  const uint32_t tgid;
  uint32_t pgid = 0;  // process group
  uint32_t sid = 0;   // session

  // --- threads ---
  boost::intrusive::list<ThreadLink, boost::intrusive::constant_time_size<false>> threads;  // zombies too
  Task* leader = nullptr;
  uint32_t live_threads = 0;

  // --- family ---
  static constexpr uint32_t kOutside = 1;  // pid of the parent of those who have none here
  ThreadGroup* parent = nullptr;           // null: the world outside
  ListHook sibling;
  boost::intrusive::list<ThreadGroup, boost::intrusive::member_hook<ThreadGroup, ListHook, &ThreadGroup::sibling>,
                         boost::intrusive::constant_time_size<false>>
      children;  // in the order of their birth, zombies too
  uint32_t parent_id() const { return parent != nullptr ? parent->tgid : kOutside; }
  WaitQueue child_changed;          // its threads in wait4. Linux: wait_chldexit
  WaitQueue end;                    // who polls a pidfd of it. Linux: struct pid::wait_pidfd
  bool reaped = false;              // the parent has waited for it: it is nobody's process any more
  int exit_signal = Signal::kChld;  // what the parent gets; 0: nothing
  bool executed = false;            // an exec since fork: setpgid by the parent fails. Linux: !PF_FORKNOEXEC

  // --- end and stops ---
  bool exiting = false;      // exit_group, a fatal signal or an exec ends all threads
  uint32_t exit_status = 0;  // as wait4 stores it; of the group, if `exiting`
  int stop_signal = 0;       // it is stopped by this signal; no thread runs
  bool stop_untold = false;  // wait4(WUNTRACED) has not told the parent yet
  bool continue_untold = false;

  Rlimits limits = default_rlimits();
  PendingSignals pending;  // signals sent to the process
  WaitQueue signalled;     // who polls or reads a signalfd. Linux: sighand_struct::signalfd_wqh
  RealTimer real_timer;
  PosixTimers posix_timers;
  uint32_t next_timer_id = 0;  // Linux: next_posix_timer_id
  CpuItimer virtual_timer, profile_timer;
  bool cpu_timers = false;  // some timer counts processor time. Linux: posix_cputimers::timers_active
  // Time on the processor is to be looked at.
  bool watches_cpu() const { return cpu_timers || limits[Rlimit::kCpu].current != Rlimit::kInfinity; }
  ResourceUse dead_threads;      // of threads that have ended
  ResourceUse waited_children;   // of children that were waited for, and theirs
  bool child_subreaper = false;  // orphans below it become its children
  uint32_t dumpable = 1;
  bool no_new_privs = false;
  // What /proc/PID/oom_score_adj says, and what it may become without privilege. No process is ever chosen by it.
  int32_t oom_score_adj = 0, oom_score_adj_min = 0;
  uint32_t membarrier_registered = 0;  // MEMBARRIER_CMD_REGISTER_* done
};

}  // namespace fl::guest
