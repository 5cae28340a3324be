// alarm, setitimer, getitimer. Linux counterpart: kernel/time/itimer.c.
//
// ITIMER_VIRTUAL and ITIMER_PROF count the same, because all processor time is user time; like on Linux they expire at
// ticks (run_cpu_timers).
#include <algorithm>
#include <optional>

#include "guest/kernel.hpp"
#include "guest/signal/send.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/time_types.hpp"
#include "guest/task.hpp"
#include "guest/time/coarse_clock.hpp"

namespace fl::guest {
namespace {

constexpr uint64_t kNsPerMicrosecond = 1000;

// a + b, at most 2^63 - 1: "for ever".
uint64_t add_capped(uint64_t a, uint64_t b) {
  constexpr auto kMax = static_cast<uint64_t>(INT64_MAX);
  return a > kMax - std::min(b, kMax) ? kMax : a + b;
}

uint64_t alarm_left_ns(Kernel& kernel, const ThreadGroup& group) {
  const uint64_t now = kernel.time().now_ns();
  if (!group.real_timer.armed()) {
    return 0;
  }
  // An armed timer is never shown as 0.
  const uint64_t deadline = group.real_timer.deadline_ns();
  return deadline > now ? deadline - now : kNsPerMicrosecond;
}

void arm(Kernel& kernel, ThreadGroup& group, uint64_t after_ns, uint64_t interval_ns) {
  group.real_timer.cancel();
  if (after_ns != 0) {
    kernel.timers().arm(group.real_timer, add_capped(kernel.time().now_ns(), after_ns));
  }
  group.real_timer.interval_ns = interval_ns;
}

struct Itimerval32 {
  Timeval32 interval, value;
};

Itimerval32 show(Kernel& kernel, const ThreadGroup& group) {
  return {Timeval32::from_ns(group.real_timer.interval_ns), Timeval32::from_ns(alarm_left_ns(kernel, group))};
}

std::optional<uint64_t> to_ns(const Timeval32& time) {
  constexpr int32_t kMicrosecondsPerSecond = 1'000'000;
  if (time.seconds < 0 || time.microseconds < 0 || time.microseconds >= kMicrosecondsPerSecond) {
    return std::nullopt;
  }
  return static_cast<uint64_t>(time.seconds) * kNsPerSecond +
         static_cast<uint64_t>(time.microseconds) * kNsPerMicrosecond;
}

struct ItimerKind {
  enum Kind : uint32_t { kReal, kVirtual, kProf };
};

CpuItimer& cpu_timer(ThreadGroup& group, uint32_t kind) {
  return kind == ItimerKind::kVirtual ? group.virtual_timer : group.profile_timer;
}

// Linux: get_cpu_itimer.
Itimerval32 show_cpu(Kernel& kernel, ThreadGroup& group, const CpuItimer& timer) {
  uint64_t left = 0;
  if (timer.expires_ns != 0) {
    const uint64_t now = kernel.resource_use(group).cpu_ns;
    left = timer.expires_ns > now ? timer.expires_ns - now : kTickNs;
  }
  return {Timeval32::from_ns(timer.interval_ns), Timeval32::from_ns(left)};
}

Itimerval32 show(Kernel& kernel, ThreadGroup& group, uint32_t kind) {
  return kind == ItimerKind::kReal ? show(kernel, group) : show_cpu(kernel, group, cpu_timer(group, kind));
}

void set(Kernel& kernel, ThreadGroup& group, uint32_t kind, uint64_t value, uint64_t interval) {
  if (kind == ItimerKind::kReal) {
    arm(kernel, group, value, interval);
    return;
  }
  // Linux: set_process_cpu_timer.
  CpuItimer& timer = cpu_timer(group, kind);
  timer.expires_ns = value != 0 ? add_capped(kernel.resource_use(group).cpu_ns, value) : 0;
  timer.interval_ns = interval;
  note_cpu_timers(group);
}

}  // namespace

void RealTimer::expire() {
  if (interval_ns != 0) {
    // As a periodic hrtimer: the next multiple that is still to come.
    const uint64_t late = kernel_.time().now_ns() - deadline_ns();
    kernel_.timers().arm(*this, deadline_ns() + (late / interval_ns + 1) * interval_ns);
  }
  static_cast<void>(send_signal(kernel_, group_, SignalInfo{.signal = Signal::kAlrm, .code = SiCode::kKernel}));
}

Result<uint32_t> sys_alarm(Kernel& kernel, Task& task, const SyscallArgs& args) {
  ThreadGroup& group = *task.group;
  const uint64_t left = alarm_left_ns(kernel, group);
  arm(kernel, group, uint64_t{args[0]} * kNsPerSecond, 0);
  // Rounded to the nearest second, but an armed timer is never shown as 0.
  uint64_t seconds = left / kNsPerSecond;
  if ((seconds == 0 && left != 0) || left % kNsPerSecond >= kNsPerSecond / 2) {
    ++seconds;
  }
  return static_cast<uint32_t>(seconds);
}

Result<uint32_t> sys_setitimer(Kernel& kernel, Task& task, const SyscallArgs& args) {
  Itimerval32 wanted{};
  if (args[1] != 0) {
    FL_TRY_ASSIGN(wanted, task.user().get<Itimerval32>(args.ptr(1)));
  }
  const std::optional<uint64_t> value = to_ns(wanted.value);
  const std::optional<uint64_t> interval = to_ns(wanted.interval);
  if (!value || !interval || args[0] > ItimerKind::kProf) {
    return fail(Errno::kEINVAL);
  }
  const Itimerval32 old = show(kernel, *task.group, args[0]);
  set(kernel, *task.group, args[0], *value, *interval);
  if (args[2] != 0) {
    FL_TRY(task.user().put(args.ptr(2), old));
  }
  return 0;
}

Result<uint32_t> sys_getitimer(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[0] > ItimerKind::kProf) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY(task.user().put(args.ptr(1), show(kernel, *task.group, args[0])));
  return 0;
}

}  // namespace fl::guest
