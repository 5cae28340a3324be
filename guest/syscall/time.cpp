// Clocks and time of day. Linux counterparts: kernel/time/posix-timers.c, time.c, sys_times, sys_getrusage.
//
// There is one clock (TimeSource); CPU clocks count the processor's work, all of it as user time. Sleeping is in
// sleep.cpp.
#include <array>
#include <optional>

#include "guest/kernel.hpp"
#include "guest/process/rusage.hpp"
#include "guest/syscall/clock_id.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/time_types.hpp"
#include "guest/task.hpp"
#include "guest/time/coarse_clock.hpp"

namespace fl::guest {
namespace {

// USER_HZ: what times() counts in.
constexpr uint64_t kTicksPerSecond = 100;

template <typename Time>
Result<uint32_t> put_time(Task& task, VirtAddr to, uint64_t ns) {
  FL_TRY(task.user().put(to, Time::from_ns(ns)));
  return 0;
}

template <typename Time>
Result<uint32_t> clock_gettime(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const std::optional<uint64_t> now = clock_now(kernel, task, args.s(0));
  if (!now) {
    return fail(Errno::kEINVAL);
  }
  return put_time<Time>(task, args.ptr(1), *now);
}

template <typename Time>
Result<uint32_t> clock_getres(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (!clock_now(kernel, task, args.s(0))) {
    return fail(Errno::kEINVAL);
  }
  const bool coarse = args.s(0) == ClockId::kRealtimeCoarse || args.s(0) == ClockId::kMonotonicCoarse;
  return args[1] == 0 ? Result<uint32_t>(0) : put_time<Time>(task, args.ptr(1), coarse ? kTickNs : 1);
}

uint64_t wall_ns(Kernel& kernel) { return kernel.time().wall_start_ns() + kernel.time().now_ns(); }

}  // namespace

std::optional<uint64_t> clock_now(Kernel& kernel, const Task& task, int32_t clock) {
  const uint64_t now = kernel.time().now_ns();
  switch (clock) {
    case ClockId::kRealtime:
    case ClockId::kTai:  // no leap seconds are known
    case ClockId::kRealtimeAlarm:
      return kernel.time().wall_start_ns() + now;
    case ClockId::kRealtimeCoarse:
      return kernel.time().wall_start_ns() + now / kTickNs * kTickNs;
    case ClockId::kMonotonic:
    case ClockId::kMonotonicRaw:
    case ClockId::kBoottime:
    case ClockId::kBoottimeAlarm:
      return now;
    case ClockId::kMonotonicCoarse:
      return now / kTickNs * kTickNs;
    case ClockId::kProcessCpu:
      return kernel.resource_use(*task.group).cpu_ns;
    case ClockId::kThreadCpu:
      return kernel.cpu_time(task);
    default:
      break;
  }
  // clockid_t of another process or thread: ~id << 3 | kind. Linux: CPUCLOCK_PID.
  if (clock < 0) {
    const auto id = ~static_cast<uint32_t>(clock >> 3);
    constexpr int32_t kPerThread = 4;
    const bool thread = (clock & kPerThread) != 0;
    const Task* const found = id == 0 ? &task : kernel.find_task(id);
    // Another process's threads are not for us; Linux: pid_for_clock.
    if (found != nullptr && found->alive() && (thread ? found->group == task.group : id == 0 || found->is_leader())) {
      return thread ? kernel.cpu_time(*found) : kernel.resource_use(*found->group).cpu_ns;
    }
  }
  return std::nullopt;
}

Result<uint32_t> sys_clock_gettime(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return clock_gettime<Timespec32>(kernel, task, args);
}
Result<uint32_t> sys_clock_gettime64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return clock_gettime<Timespec64>(kernel, task, args);
}
Result<uint32_t> sys_clock_getres(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return clock_getres<Timespec32>(kernel, task, args);
}
Result<uint32_t> sys_clock_getres_time64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return clock_getres<Timespec64>(kernel, task, args);
}

// The machine's clock is not the guest's to set.
Result<uint32_t> sys_clock_settime(Kernel&, Task&, const SyscallArgs&) { return fail(Errno::kEPERM); }
Result<uint32_t> sys_clock_settime64(Kernel&, Task&, const SyscallArgs&) { return fail(Errno::kEPERM); }
Result<uint32_t> sys_settimeofday(Kernel&, Task&, const SyscallArgs& args) {
  return args[0] == 0 && args[1] == 0 ? Result<uint32_t>(0) : fail(Errno::kEPERM);
}
Result<uint32_t> sys_stime(Kernel&, Task&, const SyscallArgs&) { return fail(Errno::kEPERM); }

Result<uint32_t> sys_gettimeofday(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[0] != 0) {
    FL_TRY(task.user().put(args.ptr(0), Timeval32::from_ns(wall_ns(kernel))));
  }
  if (args[1] != 0) {
    const std::array<int32_t, 2> utc{};
    FL_TRY(task.user().put(args.ptr(1), utc));
  }
  return 0;
}

Result<uint32_t> sys_time(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const auto seconds = static_cast<uint32_t>(wall_ns(kernel) / kNsPerSecond);
  if (args[0] != 0) {
    FL_TRY(task.user().put(args.ptr(0), seconds));
  }
  return seconds;
}

Result<uint32_t> sys_times(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint64_t kNsPerTick = kNsPerSecond / kTicksPerSecond;
  if (args[0] != 0) {
    const auto own = static_cast<uint32_t>(kernel.resource_use(*task.group).cpu_ns / kNsPerTick);
    const auto children = static_cast<uint32_t>(task.group->waited_children.cpu_ns / kNsPerTick);
    const std::array<uint32_t, 4> tms{own, 0, children, 0};
    FL_TRY(task.user().put(args.ptr(0), tms));
  }
  return static_cast<uint32_t>(kernel.time().now_ns() / kNsPerTick);
}

Result<uint32_t> sys_getrusage(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr int32_t kSelf = 0, kChildren = -1, kThread = 1;
  ResourceUse use;
  switch (args.s(0)) {
    case kSelf:
      use = kernel.resource_use(*task.group);
      break;
    case kThread:
      use = kernel.resource_use(task);
      break;
    case kChildren:
      use = task.group->waited_children;
      break;
    default:
      return fail(Errno::kEINVAL);
  }
  FL_TRY(task.user().put(args.ptr(1), to_rusage(use)));
  return 0;
}

}  // namespace fl::guest
