// What a timer of timer_create does when it expires and when its signal is delivered; timers on processor time. Linux
// counterparts: kernel/time/posix-timers.c, posix-cpu-timers.c.
#include "guest/time/posix_timer.hpp"

#include <algorithm>
#include <limits>

#include "guest/ipc/ipc.hpp"
#include "guest/kernel.hpp"
#include "guest/signal/send.hpp"
#include "guest/time/coarse_clock.hpp"

namespace fl::guest {
namespace {

bool expired(const CpuItimer& timer, uint64_t now) { return timer.expires_ns != 0 && now >= timer.expires_ns; }

// Linux: check_cpu_itimer.
void check_itimer(Kernel& kernel, ThreadGroup& group, CpuItimer& timer, uint64_t now, int signal) {
  if (expired(timer, now)) {
    timer.expires_ns = timer.interval_ns != 0 ? timer.expires_ns + timer.interval_ns : 0;
    static_cast<void>(send_signal(kernel, group, SignalInfo{.signal = signal, .code = SiCode::kKernel}));
  }
}

// Linux: check_rlimit of RLIMIT_CPU in check_process_timers.
void check_limit(Kernel& kernel, ThreadGroup& group, uint64_t now) {
  Rlimit& limit = group.limits[Rlimit::kCpu];
  const auto over = [now](uint64_t seconds) { return seconds != Rlimit::kInfinity && now / kNsPerSecond >= seconds; };
  if (over(limit.maximum)) {
    static_cast<void>(send_signal(kernel, group, SignalInfo{.signal = Signal::kKill, .code = SiCode::kKernel}));
  } else if (over(limit.current)) {
    // Again every second.
    ++limit.current;
    static_cast<void>(send_signal(kernel, group, SignalInfo{.signal = Signal::kXcpu, .code = SiCode::kKernel}));
  }
}

}  // namespace

void PosixTimer::send() {
  SignalInfo info{.signal = event.signal, .code = SiCode::kTimer, .pid = id, .value = event.value};
  if ((event.notify & SigEvent::kThreadId) != 0) {
    Task* const target = kernel_.find_task(event.tid);
    const bool there = target != nullptr && target->alive() && target->group.get() == &group_;
    signal_waits = there && send_timer_signal(kernel_, *target, info, SignalTarget::kTask);
    return;
  }
  for (ThreadLink& link : group_.threads) {
    if (link.task.alive()) {
      signal_waits = send_timer_signal(kernel_, link.task, info, SignalTarget::kGroup);
      return;
    }
  }
}

void PosixTimer::expire() {
  const uint64_t now = kernel_.time().now_ns();
  send();
  if (signal_waits) {
    return;
  }
  // Nobody will take the signal: it goes on by itself, but not more often than the clock ticks. Linux: posix_timer_fn.
  if (interval_ns != 0) {
    rearm(interval_ns < kTickNs ? now + kTickNs : now);
  } else {
    expires.reset();
  }
}

void PosixTimer::check_cpu(uint64_t now) {
  if (!expires || now < *expires || signal_waits) {
    return;
  }
  if (event.notify != SigEvent::kNone) {
    send();
  }
  if (!signal_waits) {
    if (interval_ns != 0) {
      rearm(now);
    } else {
      expires.reset();
    }
  }
}

void PosixTimer::rearm(uint64_t now) {
  if (!expires || interval_ns == 0) {
    return;
  }
  if (now >= *expires) {
    const uint64_t passed = (now - *expires) / interval_ns + 1;
    *expires += passed * interval_ns;
    overrun += static_cast<int64_t>(passed);
  }
  if (!cpu_clock && event.notify != SigEvent::kNone && !signal_waits) {
    kernel_.timers().arm(*this, *expires);
  }
}

void PosixTimer::set(std::optional<uint64_t> at, uint64_t interval) {
  cancel();
  discard_timer_signals(kernel_, group_, id);
  signal_waits = false;
  overrun = -1;
  last_overrun = 0;
  interval_ns = at ? interval : 0;
  expires = at;
  if (at && !cpu_clock && event.notify != SigEvent::kNone) {
    kernel_.timers().arm(*this, *at);
  }
}

void posix_timer_delivered(Task& task, SignalInfo& info) {
  for (PosixTimer& timer : task.group->posix_timers) {
    if (timer.id != info.pid || !timer.signal_waits) {
      continue;
    }
    timer.signal_waits = false;
    if (timer.interval_ns == 0) {
      timer.expires.reset();
      return;
    }
    timer.rearm(timer.now());
    timer.last_overrun = timer.overrun;
    timer.overrun = -1;
    info.overrun = overrun_shown(timer);
    return;
  }
}

int32_t overrun_shown(const PosixTimer& timer) {
  return static_cast<int32_t>(std::min<int64_t>(timer.last_overrun, std::numeric_limits<int32_t>::max()));
}

uint64_t PosixTimer::now() const {
  if (!cpu_clock) {
    return kernel_.time().now_ns();
  }
  if (!thread_clock) {
    return kernel_.resource_use(group_).cpu_ns;
  }
  const Task* const thread = kernel_.find_task(clock_tid);
  return thread != nullptr && thread->alive() && thread->group.get() == &group_ ? kernel_.cpu_time(*thread) : 0;
}

void delete_posix_timer(Kernel& kernel, ThreadGroup& group, PosixTimer& timer) {
  discard_timer_signals(kernel, group, timer.id);
  --kernel.user_use(timer.owner).signals;
  group.posix_timers.erase(group.posix_timers.iterator_to(timer));
  kernel.ipc().posix_timer.destroy(&timer);
}

void delete_posix_timers(Kernel& kernel, ThreadGroup& group) {
  while (!group.posix_timers.empty()) {
    delete_posix_timer(kernel, group, group.posix_timers.front());
  }
}

void note_cpu_timers(ThreadGroup& group) {
  group.cpu_timers = group.virtual_timer.expires_ns != 0 || group.profile_timer.expires_ns != 0 ||
                     std::any_of(group.posix_timers.begin(), group.posix_timers.end(),
                                 [](const PosixTimer& timer) { return timer.cpu_clock && timer.expires.has_value(); });
}

void run_cpu_timers(Kernel& kernel, Task& task) {
  ThreadGroup& group = *task.group;
  if (!group.watches_cpu() || !task.alive()) {
    return;
  }
  const uint64_t now = kernel.resource_use(group).cpu_ns;
  check_itimer(kernel, group, group.profile_timer, now, Signal::kProf);
  check_itimer(kernel, group, group.virtual_timer, now, Signal::kVtAlrm);
  check_limit(kernel, group, now);
  for (PosixTimer& timer : group.posix_timers) {
    if (timer.cpu_clock) {
      timer.check_cpu(timer.now());
    }
  }
  note_cpu_timers(group);
}

}  // namespace fl::guest
