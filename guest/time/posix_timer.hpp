// PosixTimer: a timer of timer_create; CpuItimer: ITIMER_VIRTUAL and ITIMER_PROF. Linux counterparts: struct k_itimer,
// struct cpu_itimer.
//
// A timer that sends a signal is armed again only when that is delivered: what was missed till then is its overrun
// (posix_timer_delivered). Timers on processor time are looked at every tick, as on Linux, and not armed in the queue.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <optional>

#include "guest/signal/signal.hpp"
#include "guest/time/timer_queue.hpp"

namespace fl::guest {

class Kernel;
struct Task;
struct ThreadGroup;

// What a timer does when it expires. Linux: SIGEV_*.
struct SigEvent {
  enum Notify : int32_t { kSignal = 0, kNone = 1, kThread = 2, kThreadId = 4 };
  int32_t notify = kSignal;
  int32_t signal = Signal::kAlrm;
  uint32_t value = 0;
  uint32_t tid = 0;  // kThreadId: whom
};

// Lives in the cache "posix_timers_cache".
class PosixTimer final : public Timer, public boost::intrusive::list_base_hook<> {
 public:
  PosixTimer(Kernel& kernel, ThreadGroup& group, uint32_t number, int32_t of_clock, const SigEvent& what)
      : id(number), clock(of_clock), event(what), kernel_(kernel), group_(group) {}
  void expire() override;

  // On its clock: time since boot, or processor time.
  uint64_t now() const;
  // One on processor time is looked at.
  void check_cpu(uint64_t now);

  // The next multiple of the interval behind `now`; adds what was passed to the overrun. Linux: hrtimer_forward.
  void rearm(uint64_t now);
  // Sets or stops it; a signal that still waits is forgotten.
  void set(std::optional<uint64_t> at, uint64_t interval);
  // When it expires, on its clock; none: it is not armed. One that waits for its signal to be delivered is armed.
  std::optional<uint64_t> expires;

  const uint32_t id;
  const int32_t clock;
  const SigEvent event;
  bool cpu_clock = false;
  bool thread_clock = false;  // of the thread `clock_tid`, not of the process
  uint32_t clock_tid = 0;
  uint32_t owner = 0;  // the user against whose limit its signal counts
  uint64_t interval_ns = 0;
  bool signal_waits = false;  // sent and not yet delivered
  int64_t overrun = -1;       // Linux: it_overrun
  int64_t last_overrun = 0;   // what timer_getoverrun says

 private:
  void send();
  Kernel& kernel_;
  ThreadGroup& group_;
};
using PosixTimers = boost::intrusive::list<PosixTimer, boost::intrusive::constant_time_size<false>>;

// Its times are of the process's processor time.
struct CpuItimer {
  uint64_t expires_ns = 0;  // 0: not armed
  uint64_t interval_ns = 0;
};

// The signal of a timer was taken off the queue: its overrun goes into `info`, and it is armed again. Linux:
// posixtimer_rearm.
void posix_timer_delivered(Task& task, SignalInfo& info);
// Linux: timer_overrun_to_int.
int32_t overrun_shown(const PosixTimer& timer);
void delete_posix_timer(Kernel& kernel, ThreadGroup& group, PosixTimer& timer);
// All timers of timer_create go: exec, exit. Linux: exit_itimers.
void delete_posix_timers(Kernel& kernel, ThreadGroup& group);
// Must follow a change of a timer on processor time.
void note_cpu_timers(ThreadGroup& group);
// Timers on processor time and RLIMIT_CPU. Linux: run_posix_cpu_timers.
void run_cpu_timers(Kernel& kernel, Task& task);

}  // namespace fl::guest
