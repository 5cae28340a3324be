// futex: WAIT and WAKE, with and without bitset and timeouts. Linux counterpart: kernel/futex/.
//
// A waiter is a task that sleeps in this call; who wakes looks through the tasks. Keys are address space and address,
// so a shared futex works only between tasks that map it at the same address of the same space. Requeue, WAKE_OP and
// the priority-inheritance operations answer ENOSYS.
#include <optional>

#include "guest/kernel.hpp"
#include "guest/signal/send.hpp"
#include "guest/syscall/clock_id.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/time_types.hpp"
#include "guest/task.hpp"
#include "guest/task/robust_list.hpp"

namespace fl::guest {
namespace {

struct Futex {
  enum Command : uint32_t { kWait = 0, kWake = 1, kWaitBitset = 9, kWakeBitset = 10 };
  static constexpr uint32_t kPrivate = 128, kClockRealtime = 256;
  static constexpr uint32_t kMatchAny = ~0u;
};

constexpr const char* kReason = "futex";

template <typename Timespec>
Result<std::optional<uint64_t>> deadline(Kernel& kernel, Task& task, VirtAddr timeout, uint32_t op, bool absolute) {
  if (timeout.value() == 0) {
    return std::optional<uint64_t>{};
  }
  FL_TRY_ASSIGN(const auto time, task.user().get<Timespec>(timeout));
  const std::optional<uint64_t> ns = to_ns(time);
  if (!ns) {
    return fail(Errno::kEINVAL);
  }
  const uint64_t now = kernel.time().now_ns();
  if (!absolute) {
    return std::optional(now + *ns);
  }
  const bool realtime = (op & Futex::kClockRealtime) != 0;
  const uint64_t clock_ns = *clock_now(kernel, task, realtime ? ClockId::kRealtime : ClockId::kMonotonic);
  return std::optional(*ns > clock_ns ? now + (*ns - clock_ns) : now);
}

Result<uint32_t> go_on_waiting(Kernel& kernel, Task& task) {
  const Wait& wait = task.wait;
  if (wait.satisfied) {
    return 0;
  }
  if (wait.deadline_ns && kernel.time().now_ns() >= *wait.deadline_ns) {
    return fail(Errno::kETIMEDOUT);
  }
  if (signal_pending(task)) {
    // Linux restarts a wait with a timeout through restart_syscall; its deadline would have moved otherwise.
    return fail(wait.deadline_ns ? Errno::kEINTR : kRestartSys);
  }
  return kernel.sleep(task, kReason, wait.object, wait.deadline_ns);
}

template <typename Timespec>
Result<uint32_t> wait(Kernel& kernel, Task& task, const SyscallArgs& args, uint32_t bitset, bool absolute) {
  if (task.wait.resumed) {
    return go_on_waiting(kernel, task);
  }
  if (bitset == 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const std::optional<uint64_t> until, deadline<Timespec>(kernel, task, args.ptr(3), args[1], absolute));
  if (args[0] % sizeof(uint32_t) != 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto value, task.user().get<uint32_t>(args.ptr(0)));
  if (value != args[2]) {
    return fail(Errno::kEAGAIN);
  }
  task.futex_bitset = bitset;
  return kernel.sleep(task, kReason, args[0], until);
}

uint32_t wake_waiters(Kernel& kernel, Task& task, VirtAddr at, uint32_t count, uint32_t bitset) {
  uint32_t woken = 0;
  for (Task& other : kernel.tasks()) {
    const bool waits = other.state == Task::State::kSleeping && other.wait.reason == kReason &&
                       other.wait.object == at.value() && other.mm == task.mm && (other.futex_bitset & bitset) != 0;
    if (waits) {
      other.wait.satisfied = true;
      kernel.wake(other);
      // At least one, as Linux: the count is looked at after each.
      if (++woken >= count) {
        break;
      }
    }
  }
  return woken;
}

Result<uint32_t> wake(Kernel& kernel, Task& task, const SyscallArgs& args, uint32_t bitset) {
  if (bitset == 0 || args[0] % sizeof(uint32_t) != 0) {
    return fail(Errno::kEINVAL);
  }
  if (!vm::UserAccess::access_ok(args.ptr(0), sizeof(uint32_t))) {
    return fail(Errno::kEFAULT);
  }
  return wake_waiters(kernel, task, args.ptr(0), args[2], bitset);
}

template <typename Timespec>
Result<uint32_t> futex(Kernel& kernel, Task& task, const SyscallArgs& args) {
  switch (args[1] & ~(Futex::kPrivate | Futex::kClockRealtime)) {
    case Futex::kWait:
      return wait<Timespec>(kernel, task, args, Futex::kMatchAny, false);
    case Futex::kWaitBitset:
      return wait<Timespec>(kernel, task, args, args[5], true);
    case Futex::kWake:
      return wake(kernel, task, args, Futex::kMatchAny);
    case Futex::kWakeBitset:
      return wake(kernel, task, args, args[5]);
    default:
      return sys_ni_syscall(kernel, task, args);
  }
}

}  // namespace

uint32_t futex_wake(Kernel& kernel, Task& task, VirtAddr at, uint32_t count) {
  return wake_waiters(kernel, task, at, count, Futex::kMatchAny);
}

Result<uint32_t> sys_futex(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return futex<Timespec32>(kernel, task, args);
}
Result<uint32_t> sys_futex_time64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return futex<Timespec64>(kernel, task, args);
}

}  // namespace fl::guest
