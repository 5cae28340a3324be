// nanosleep and its family, and restart_syscall. Time passes only when nothing can run (virtual time). Linux
// counterparts: kernel/time/hrtimer.c (nanosleep), posix-timers.c (clock_nanosleep).
#include <algorithm>
#include <optional>

#include "guest/kernel.hpp"
#include "guest/signal/send.hpp"
#include "guest/syscall/clock_id.hpp"
#include "guest/syscall/restart.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/time_types.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kTimerAbstime = 1;

// a + b, at most 2^63 - 1: "for ever".
uint64_t add_capped(uint64_t a, uint64_t b) {
  constexpr auto kMax = static_cast<uint64_t>(INT64_MAX);
  return a > kMax - std::min(b, kMax) ? kMax : a + b;
}

template <typename Timespec>
Result<uint32_t> interrupted(Task& task, uint64_t left_ns, VirtAddr remainder) {
  if (remainder.value() != 0) {
    FL_TRY(task.user().put(remainder, Timespec::from_ns(left_ns)));
  }
  task.restart = {.call = RestartBlock::Call::kNanosleep,
                  .deadline_ns = task.wait.deadline_ns,
                  .address = remainder.value(),
                  .time64 = sizeof(Timespec) == sizeof(Timespec64)};
  return fail(kRestartRestartBlock);
}

// The second and later calls of a sleeping handler.
template <typename Timespec>
Result<uint32_t> continue_sleep(Kernel& kernel, Task& task, VirtAddr remainder, bool absolute) {
  const uint64_t now = kernel.time().now_ns();
  const uint64_t deadline = *task.wait.deadline_ns;
  if (now >= deadline) {
    return 0;
  }
  if (signal_pending(task)) {
    if (absolute) {
      return fail(kRestartNoHand);
    }
    return interrupted<Timespec>(task, deadline - now, remainder);
  }
  return kernel.sleep(task, "nanosleep", 0, deadline);
}

template <typename Timespec>
Result<uint32_t> sleep_on(Kernel& kernel, Task& task, int32_t clock, uint32_t flags, VirtAddr request,
                          VirtAddr remainder) {
  const bool absolute = (flags & kTimerAbstime) != 0;
  if (task.wait.resumed) {
    return continue_sleep<Timespec>(kernel, task, remainder, absolute);
  }
  FL_TRY_ASSIGN(const auto wanted, task.user().get<Timespec>(request));
  const std::optional<uint64_t> ns = to_ns(wanted);
  if (!ns) {
    return fail(Errno::kEINVAL);
  }
  const uint64_t now = kernel.time().now_ns();
  uint64_t deadline = add_capped(now, *ns);
  if (absolute) {
    const uint64_t clock_ns = *clock_now(kernel, task, clock);
    deadline = *ns > clock_ns ? add_capped(now, *ns - clock_ns) : now;
  }
  if (deadline <= now) {
    return 0;
  }
  return kernel.sleep(task, "nanosleep", 0, deadline);
}

template <typename Timespec>
Result<uint32_t> clock_nanosleep(Kernel& kernel, Task& task, const SyscallArgs& args) {
  switch (args.s(0)) {
    case ClockId::kRealtime:
    case ClockId::kMonotonic:
    case ClockId::kBoottime:
    case ClockId::kTai:
      return sleep_on<Timespec>(kernel, task, args.s(0), args[1], args.ptr(2), args.ptr(3));
    default:
      // Sleeping on a clock that only this program's own work moves would never end; the alarm clocks need a device.
      return fail(clock_now(kernel, task, args.s(0)) ? Errno::kEOPNOTSUPP : Errno::kEINVAL);
  }
}

}  // namespace

Result<uint32_t> sys_nanosleep(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return sleep_on<Timespec32>(kernel, task, ClockId::kMonotonic, 0, args.ptr(0), args.ptr(1));
}
Result<uint32_t> sys_clock_nanosleep(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return clock_nanosleep<Timespec32>(kernel, task, args);
}
Result<uint32_t> sys_clock_nanosleep_time64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return clock_nanosleep<Timespec64>(kernel, task, args);
}

// A relative sleep goes on after a signal that no handler took. Linux: hrtimer_nanosleep_restart.
Result<uint32_t> restart_nanosleep(Kernel& kernel, Task& task) {
  const VirtAddr remainder(task.restart.address);
  if (!task.wait.resumed) {
    return kernel.time().now_ns() >= *task.restart.deadline_ns
               ? Result<uint32_t>(0)
               : kernel.sleep(task, "nanosleep", 0, task.restart.deadline_ns);
  }
  return task.restart.time64 ? continue_sleep<Timespec64>(kernel, task, remainder, false)
                             : continue_sleep<Timespec32>(kernel, task, remainder, false);
}

Result<uint32_t> sys_restart_syscall(Kernel& kernel, Task& task, const SyscallArgs&) {
  switch (task.restart.call) {
    case RestartBlock::Call::kNanosleep:
      return restart_nanosleep(kernel, task);
    case RestartBlock::Call::kFutexWait:
      return restart_futex_wait(kernel, task);
    case RestartBlock::Call::kPoll:
      return restart_poll(kernel, task);
    case RestartBlock::Call::kNone:
      break;
  }
  return fail(Errno::kEINTR);
}

}  // namespace fl::guest
