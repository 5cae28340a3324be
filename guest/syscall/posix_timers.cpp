// timer_create and its family. Linux counterpart: the system calls of kernel/time/posix-timers.c.
//
// What timers do is in guest/time/posix_timer.hpp. Simplified: a timer on the processor time of another process is
// EINVAL; the alarm clocks have no device (EOPNOTSUPP).
#include <array>

#include "guest/ipc/ipc.hpp"
#include "guest/kernel.hpp"
#include "guest/syscall/clock_id.hpp"
#include "guest/syscall/itimerspec.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

// struct sigevent of i386: 64 bytes.
struct SigEvent32 {
  uint32_t value;
  int32_t signal, notify;
  uint32_t tid;
  std::array<uint32_t, 12> rest;
};
static_assert(sizeof(SigEvent32) == 64);

constexpr int32_t kCpuClockThread = 4;

// Which clocks count processor time, and of which thread. Linux: CPUCLOCK_PERTHREAD, CPUCLOCK_PID.
bool is_cpu_clock(int32_t clock) { return clock < 0 || clock == ClockId::kProcessCpu || clock == ClockId::kThreadCpu; }

Status check_clock(Kernel& kernel, const Task& task, int32_t clock) {
  switch (clock) {
    case ClockId::kRealtime:
    case ClockId::kMonotonic:
    case ClockId::kBoottime:
    case ClockId::kTai:
    case ClockId::kProcessCpu:
    case ClockId::kThreadCpu:
      return {};
    default:
      break;
  }
  if (!clock_now(kernel, task, clock)) {
    return fail(Errno::kEINVAL);
  }
  if (clock >= 0) {
    return fail(Errno::kEOPNOTSUPP);
  }
  const auto id = ~static_cast<uint32_t>(clock >> 3);
  const Task* const of = id == 0 ? &task : kernel.find_task(id);
  return of != nullptr && of->group == task.group ? Status() : fail(Errno::kEINVAL);
}

// Linux: good_sigevent.
Status check_event(Kernel& kernel, const Task& task, const SigEvent& event) {
  switch (event.notify) {
    case SigEvent::kThreadId: {
      const Task* const target = kernel.find_task(event.tid);
      if (target == nullptr || target->group != task.group) {
        return fail(Errno::kEINVAL);
      }
      [[fallthrough]];
    }
    case SigEvent::kSignal:
    case SigEvent::kThread:
      return valid_signal(event.signal) ? Status() : fail(Errno::kEINVAL);
    case SigEvent::kNone:
      return {};
    default:
      return fail(Errno::kEINVAL);
  }
}

Result<PosixTimer*> timer_of(Task& task, uint32_t id) {
  for (PosixTimer& timer : task.group->posix_timers) {
    if (timer.id == id) {
      return &timer;
    }
  }
  return fail(Errno::kEINVAL);
}

// Linux: common_timer_get.
TimerSetting left(PosixTimer& timer) {
  TimerSetting setting{.interval_ns = timer.interval_ns};
  const bool silent = timer.event.notify == SigEvent::kNone;
  if (!timer.expires || (timer.interval_ns == 0 && timer.signal_waits)) {
    return setting;
  }
  const uint64_t now = timer.now();
  if (timer.interval_ns != 0 && (timer.signal_waits || silent)) {
    timer.rearm(now);
  }
  if (*timer.expires > now) {
    setting.value_ns = *timer.expires - now;
  } else {
    // Expired, but its signal is still to be sent: not 0, which would mean that it is not armed.
    setting.value_ns = silent ? 0 : 1;
  }
  return setting;
}

template <typename Timespec>
Result<uint32_t> settime(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[2] == 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto spec, task.user().get<Itimerspec<Timespec>>(args.ptr(2)));
  const std::optional<TimerSetting> setting = to_setting(spec);
  if (!setting) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(PosixTimer* const timer, timer_of(task, args[0]));
  const TimerSetting old = left(*timer);
  if (setting->value_ns == 0) {
    timer->set(std::nullopt, 0);
  } else {
    // Processor time has a scale of its own, all other clocks that of now_ns.
    const uint64_t now = timer->now();
    const uint64_t clock_ns = timer->cpu_clock ? now : *clock_now(kernel, task, timer->clock);
    timer->set(first_expiry(*setting, (args[1] & kTimerAbstime) != 0, clock_ns, now), setting->interval_ns);
  }
  note_cpu_timers(*task.group);
  if (args[3] != 0) {
    FL_TRY(task.user().put(args.ptr(3), old.shown<Timespec>()));
  }
  return 0;
}

template <typename Timespec>
Result<uint32_t> gettime(Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(PosixTimer* const timer, timer_of(task, args[0]));
  FL_TRY(task.user().put(args.ptr(1), left(*timer).shown<Timespec>()));
  return 0;
}

}  // namespace

// clock, event, where the timer's number goes.
Result<uint32_t> sys_timer_create(Kernel& kernel, Task& task, const SyscallArgs& args) {
  ThreadGroup& group = *task.group;
  std::optional<SigEvent> given;
  if (args[1] != 0) {
    FL_TRY_ASSIGN(const auto event, task.user().get<SigEvent32>(args.ptr(1)));
    given = SigEvent{.notify = event.notify, .signal = event.signal, .value = event.value, .tid = event.tid};
  }
  const int32_t clock = args.s(0);
  FL_TRY(check_clock(kernel, task, clock));
  // Its signal has its place from now on. Linux: sigqueue_alloc.
  uint32_t& used = kernel.user_use(task.cred.uid).signals;
  if (used >= group.limits[Rlimit::kSigPending].current) {
    return fail(Errno::kEAGAIN);
  }
  const uint32_t id = group.next_timer_id;
  const SigEvent event = given.value_or(SigEvent{.value = id});
  FL_TRY(check_event(kernel, task, event));
  const auto made = kernel.ipc().posix_timer.create(kernel, group, id, clock, event);
  if (!made) {
    return fail(Errno::kEAGAIN);
  }
  PosixTimer& timer = **made;
  timer.cpu_clock = is_cpu_clock(clock);
  timer.thread_clock = clock == ClockId::kThreadCpu || (clock < 0 && (clock & kCpuClockThread) != 0);
  const auto named = ~static_cast<uint32_t>(clock >> 3);
  timer.clock_tid = clock < 0 && named != 0 ? named : task.tid;
  timer.owner = task.cred.uid;
  ++used;
  group.posix_timers.push_back(timer);
  group.next_timer_id = (id + 1) & INT32_MAX;
  if (const Status told = task.user().put(args.ptr(2), id); !told) {
    delete_posix_timer(kernel, group, timer);
    return fail(told.error());
  }
  return 0;
}

Result<uint32_t> sys_timer_settime(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return settime<Timespec32>(kernel, task, args);
}
Result<uint32_t> sys_timer_settime64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return settime<Timespec64>(kernel, task, args);
}
Result<uint32_t> sys_timer_gettime(Kernel&, Task& task, const SyscallArgs& args) {
  return gettime<Timespec32>(task, args);
}
Result<uint32_t> sys_timer_gettime64(Kernel&, Task& task, const SyscallArgs& args) {
  return gettime<Timespec64>(task, args);
}

Result<uint32_t> sys_timer_getoverrun(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const PosixTimer* const timer, timer_of(task, args[0]));
  return static_cast<uint32_t>(overrun_shown(*timer));
}

Result<uint32_t> sys_timer_delete(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(PosixTimer* const timer, timer_of(task, args[0]));
  delete_posix_timer(kernel, *task.group, *timer);
  note_cpu_timers(*task.group);
  return 0;
}

}  // namespace fl::guest
