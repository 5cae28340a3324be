// futex and futex_time64: their arguments, and sleeping. Linux counterpart: kernel/futex/syscalls.c, __futex_wait.
//
// What is done to waiters is in guest/ipc/futex.hpp. ENOSYS: FUTEX_FD, requeueing to locks with priority inheritance,
// futex_waitv.
#include <optional>

#include "guest/ipc/futex.hpp"
#include "guest/kernel.hpp"
#include "guest/signal/send.hpp"
#include "guest/syscall/clock_id.hpp"
#include "guest/syscall/restart.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/time_types.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

struct Futex {
  enum Command : uint32_t {
    kWait = 0,
    kWake = 1,
    kRequeue = 3,
    kCmpRequeue = 4,
    kWakeOp = 5,
    kLockPi = 6,
    kUnlockPi = 7,
    kTryLockPi = 8,
    kWaitBitset = 9,
    kWakeBitset = 10,
    kWaitRequeuePi = 11,
    kLockPi2 = 13,
  };
  static constexpr uint32_t kPrivate = 128, kClockRealtime = 256;
};

constexpr const char* kReason = "futex";

uint32_t command_of(uint32_t op) { return op & ~(Futex::kPrivate | Futex::kClockRealtime); }

// Linux: futex_cmd_has_timeout.
bool has_timeout(uint32_t command) {
  return command == Futex::kWait || command == Futex::kLockPi || command == Futex::kLockPi2 ||
         command == Futex::kWaitBitset || command == Futex::kWaitRequeuePi;
}

// The timeout argument as now_ns counts; only WAIT's is relative. LOCK_PI's is always of the wall clock. Linux:
// futex_init_timeout.
template <typename Timespec>
Result<std::optional<uint64_t>> deadline_argument(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const uint32_t command = command_of(args[1]);
  if (args[3] == 0 || !has_timeout(command)) {
    return std::optional<uint64_t>{};
  }
  FL_TRY_ASSIGN(const auto time, task.user().get<Timespec>(args.ptr(3)));
  const std::optional<uint64_t> ns = to_ns(time);
  if (!ns) {
    return fail(Errno::kEINVAL);
  }
  const uint64_t now = kernel.time().now_ns();
  if (command == Futex::kWait) {
    return std::optional(now + *ns);
  }
  const bool realtime = (args[1] & Futex::kClockRealtime) != 0 || command == Futex::kLockPi;
  const uint64_t clock_ns = *clock_now(kernel, task, realtime ? ClockId::kRealtime : ClockId::kMonotonic);
  return std::optional(*ns > clock_ns ? now + (*ns - clock_ns) : now);
}

struct FutexWait {
  VirtAddr word;
  FutexScope scope = FutexScope::kPrivate;
  uint32_t value = 0;
  uint32_t bitset = 0;
  std::optional<uint64_t> deadline_ns;
};

// Linux: futex_wait.
Result<uint32_t> wait(Kernel& kernel, Task& task, const FutexWait& what) {
  if (task.wait.resumed) {
    if (task.wait.satisfied) {
      return 0;
    }
    if (what.deadline_ns && kernel.time().now_ns() >= *what.deadline_ns) {
      return fail(Errno::kETIMEDOUT);
    }
    if (signal_pending(task)) {
      if (!what.deadline_ns) {
        return fail(kRestartSys);
      }
      task.restart = {.call = RestartBlock::Call::kFutexWait,
                      .deadline_ns = what.deadline_ns,
                      .address = what.word.value(),
                      .shared = what.scope == FutexScope::kShared,
                      .value = what.value,
                      .bitset = what.bitset};
      return fail(kRestartRestartBlock);
    }
  }
  if (what.bitset == 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const FutexKey key, futex_key(kernel, task, what.word, what.scope, FutexAccess::kRead));
  FL_TRY_ASSIGN(const auto value, task.user().get<uint32_t>(what.word));
  if (value != what.value) {
    return fail(Errno::kEAGAIN);
  }
  task.futex.bitset = what.bitset;
  task.futex.pi_owner = 0;
  kernel.futexes().queue(task.futex, key);
  return kernel.sleep(task, kReason, what.word.value(), what.deadline_ns);
}

Result<uint32_t> lock_pi(Kernel& kernel, Task& task, VirtAddr word, FutexScope scope, LockMode mode,
                         std::optional<uint64_t> deadline) {
  if (task.wait.resumed) {
    if (task.wait.satisfied) {
      return 0;
    }
    return fail(deadline && kernel.time().now_ns() >= *deadline ? Errno::kETIMEDOUT : kRestartNoIntr);
  }
  FL_TRY_ASSIGN(const LockResult result, futex_lock_pi(kernel, task, word, scope, mode));
  if (result == LockResult::kTaken) {
    return 0;
  }
  return kernel.sleep(task, "futex lock", word.value(), deadline);
}

// word, op, value, timeout or second value, second word, third value. Linux: do_futex.
template <typename Timespec>
Result<uint32_t> futex(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const uint32_t command = command_of(args[1]);
  std::optional<uint64_t> deadline = task.wait.deadline_ns;
  if (!task.wait.resumed) {
    FL_TRY_ASSIGN(deadline, deadline_argument<Timespec>(kernel, task, args));
  }
  const VirtAddr word = args.ptr(0);
  const FutexScope scope = (args[1] & Futex::kPrivate) != 0 ? FutexScope::kPrivate : FutexScope::kShared;
  const bool takes_clock =
      command == Futex::kWaitBitset || command == Futex::kWaitRequeuePi || command == Futex::kLockPi2;
  if ((args[1] & Futex::kClockRealtime) != 0 && !takes_clock) {
    return fail(Errno::kENOSYS);
  }
  switch (command) {
    case Futex::kWait:
      return wait(kernel, task, {word, scope, args[2], kFutexMatchAny, deadline});
    case Futex::kWaitBitset:
      return wait(kernel, task, {word, scope, args[2], args[5], deadline});
    case Futex::kWake:
      return futex_wake(kernel, task, word, scope, args.s(2), kFutexMatchAny);
    case Futex::kWakeBitset:
      return futex_wake(kernel, task, word, scope, args.s(2), args[5]);
    case Futex::kRequeue:
      return futex_requeue(kernel, task, scope,
                           {.from = word, .to = args.ptr(4), .wake = args.s(2), .move = args.s(3)});
    case Futex::kCmpRequeue:
      return futex_requeue(
          kernel, task, scope,
          {.from = word, .to = args.ptr(4), .wake = args.s(2), .move = args.s(3), .expected = &args.a[5]});
    case Futex::kWakeOp:
      return futex_wake_op(kernel, task, scope, word, args.ptr(4), args.s(2), args.s(3), args[5]);
    case Futex::kLockPi:
    case Futex::kLockPi2:
      return lock_pi(kernel, task, word, scope, LockMode::kWait, deadline);
    case Futex::kTryLockPi:
      return lock_pi(kernel, task, word, scope, LockMode::kTry, std::nullopt);
    case Futex::kUnlockPi:
      FL_TRY(futex_unlock_pi(kernel, task, word, scope));
      return 0;
    default:
      return sys_ni_syscall(kernel, task, args);
  }
}

}  // namespace

// Linux: futex_wait_restart.
Result<uint32_t> restart_futex_wait(Kernel& kernel, Task& task) {
  const RestartBlock& block = task.restart;
  return wait(kernel, task,
              {VirtAddr(block.address), block.shared ? FutexScope::kShared : FutexScope::kPrivate, block.value,
               block.bitset, block.deadline_ns});
}

Result<uint32_t> sys_futex(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return futex<Timespec32>(kernel, task, args);
}
Result<uint32_t> sys_futex_time64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return futex<Timespec64>(kernel, task, args);
}

}  // namespace fl::guest
