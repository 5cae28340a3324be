// Scheduling calls on a machine of one processor. Policies, priorities and nice values are kept and shown; the
// scheduler asks for none of them. Linux counterparts: kernel/sched/core.c, kernel/sched/membarrier.c.
#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "guest/kernel.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/time_types.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

constexpr int32_t kMinNice = -20;
constexpr int32_t kMaxNice = 19;

struct Policy {
  enum Value : uint32_t { kOther = 0, kFifo = 1, kRoundRobin = 2, kBatch = 3, kIdle = 5, kDeadline = 6 };
};
bool known_policy(uint32_t policy) {
  return policy <= Policy::kBatch || policy == Policy::kIdle || policy == Policy::kDeadline;
}
bool real_time(uint32_t policy) { return policy == Policy::kFifo || policy == Policy::kRoundRobin; }

// The task of a pid argument, 0 for the caller. EINVAL, ESRCH.
Result<Task*> task_of(Kernel& kernel, Task& task, uint32_t pid) {
  if (static_cast<int32_t>(pid) < 0) {
    return fail(Errno::kEINVAL);
  }
  Task* const found = pid == 0 ? &task : kernel.find_task(pid);
  return found != nullptr && found->alive() ? Result<Task*>(found) : fail(Errno::kESRCH);
}

// Linux: check_same_owner, or CAP_SYS_NICE.
bool may_change(const Task& task, const Task& target) {
  return task.cred.euid == 0 || task.cred.euid == target.cred.euid || task.cred.euid == target.cred.uid;
}

// Linux: set_one_prio.
Status set_nice(const Task& task, Task& target, int32_t nice) {
  nice = std::clamp(nice, kMinNice, kMaxNice);
  if (!may_change(task, target)) {
    return fail(Errno::kEPERM);
  }
  if (nice < target.nice && task.cred.euid != 0) {
    return fail(Errno::kEACCES);
  }
  target.nice = nice;
  return {};
}

// The tasks that getpriority and setpriority mean: PRIO_PROCESS, PRIO_PGRP, PRIO_USER; 0 is the caller's own.
bool means(const Task& caller, const Task& target, uint32_t which, uint32_t who) {
  enum Which : uint32_t { kProcess, kGroup, kUser };
  switch (which) {
    case kProcess:
      return target.tid == (who == 0 ? caller.tid : who);
    case kGroup:
      return target.group->pgid == (who == 0 ? caller.group->pgid : who);
    default:
      return target.cred.uid == (who == 0 ? caller.cred.uid : who);
  }
}
constexpr uint32_t kPrioUser = 2;

constexpr uint32_t kResetOnFork = 0x40000000;

// Linux: __sched_setscheduler.
Result<uint32_t> set_scheduler(const Task& task, Task& target, uint32_t policy, uint32_t priority) {
  constexpr uint32_t kMaxPriority = 99;
  const uint32_t plain = policy & ~kResetOnFork;
  if (!known_policy(plain) || plain == Policy::kDeadline || priority > kMaxPriority ||
      real_time(plain) != (priority != 0)) {
    return fail(Errno::kEINVAL);
  }
  if (!may_change(task, target) ||
      (real_time(plain) && task.cred.euid != 0 && priority > task.group->limits[Rlimit::kRtPrio].current)) {
    return fail(Errno::kEPERM);
  }
  target.sched_policy = policy;
  target.sched_priority = priority;
  return 0;
}

// struct sched_attr, without the deadline part's meaning.
struct SchedAttr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t clamp_min, clamp_max;
};
constexpr uint32_t kSchedAttrVersion0 = 48;

template <typename Timespec>
Result<uint32_t> rr_interval(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint64_t kRoundRobinNs = 100'000'000;
  FL_TRY_ASSIGN(const Task* const target, task_of(kernel, task, args[0]));
  const uint32_t policy = target->sched_policy & ~kResetOnFork;
  const uint64_t slice = policy == Policy::kFifo         ? 0
                         : policy == Policy::kRoundRobin ? kRoundRobinNs
                                                         : Scheduler::kSliceNs;
  FL_TRY(task.user().put(args.ptr(1), Timespec::from_ns(slice)));
  return 0;
}

struct Membarrier {
  enum Command : uint32_t {
    kQuery = 0,
    kGlobal = 1,
    kGlobalExpedited = 2,
    kRegisterGlobalExpedited = 4,
    kPrivateExpedited = 8,
    kRegisterPrivateExpedited = 16,
  };
  static constexpr uint32_t kAll = 31;
};

}  // namespace

Result<uint32_t> sys_sched_yield(Kernel& kernel, Task& task, const SyscallArgs&) {
  kernel.yield(task);
  return 0;
}

Result<uint32_t> sys_sched_getaffinity(Kernel& kernel, Task& task, const SyscallArgs& args) {
  // The kernel's mask is a number of its own longs.
  const uint32_t mask_size = kernel.profile().machine == "x86_64" ? 8 : 4;
  if (args[1] == 0 || args[1] % sizeof(uint32_t) != 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY(task_of(kernel, task, args[0]));
  const std::array<uint32_t, 2> first_processor{1, 0};
  const uint32_t bytes = std::min(args[1], mask_size);
  FL_TRY(task.user().write(args.ptr(2), std::as_bytes(std::span(first_processor)).first(bytes)));
  return bytes;
}

Result<uint32_t> sys_sched_setaffinity(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY(task_of(kernel, task, args[0]));
  uint8_t first_byte = 0;
  if (args[1] > 0) {
    FL_TRY_ASSIGN(first_byte, task.user().get<uint8_t>(args.ptr(2)));
  }
  if ((first_byte & 1) == 0) {
    return fail(Errno::kEINVAL);
  }
  return 0;
}

Result<uint32_t> sys_sched_getscheduler(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const Task* const target, task_of(kernel, task, args[0]));
  return target->sched_policy;
}

Result<uint32_t> sys_sched_setscheduler(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[2] == 0 || args.s(0) < 0 || args.s(1) < 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto priority, task.user().get<uint32_t>(args.ptr(2)));
  FL_TRY_ASSIGN(Task* const target, task_of(kernel, task, args[0]));
  return set_scheduler(task, *target, args[1], priority);
}

Result<uint32_t> sys_sched_setparam(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[1] == 0 || args.s(0) < 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto priority, task.user().get<uint32_t>(args.ptr(1)));
  FL_TRY_ASSIGN(Task* const target, task_of(kernel, task, args[0]));
  return set_scheduler(task, *target, target->sched_policy, priority);
}

Result<uint32_t> sys_sched_getparam(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[1] == 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const Task* const target, task_of(kernel, task, args[0]));
  FL_TRY(task.user().put(args.ptr(1), target->sched_priority));
  return 0;
}

// pid, attr, flags.
Result<uint32_t> sys_sched_setattr(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[1] == 0 || args.s(0) < 0 || args[2] != 0) {
    return fail(Errno::kEINVAL);
  }
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(uint32_t size, user.get<uint32_t>(args.ptr(1)));
  size = size == 0 ? kSchedAttrVersion0 : size;
  if (size < kSchedAttrVersion0 || size > kPageSize) {
    return fail(Errno::kE2BIG);
  }
  SchedAttr attr{};
  FL_TRY(
      user.read(std::as_writable_bytes(std::span(&attr, 1)).first(std::min<size_t>(size, sizeof attr)), args.ptr(1)));
  FL_TRY_ASSIGN(Task* const target, task_of(kernel, task, args[0]));
  FL_TRY(set_scheduler(task, *target, attr.policy, attr.priority));
  FL_TRY(set_nice(task, *target, attr.nice));
  return 0;
}

// pid, attr, size, flags.
Result<uint32_t> sys_sched_getattr(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[1] == 0 || args.s(0) < 0 || args[2] > kPageSize || args[2] < kSchedAttrVersion0 || args[3] != 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const Task* const target, task_of(kernel, task, args[0]));
  SchedAttr attr{};
  attr.size = std::min<uint32_t>(args[2], sizeof attr);
  attr.policy = target->sched_policy & ~kResetOnFork;
  attr.flags = (target->sched_policy & kResetOnFork) != 0 ? 1 : 0;
  attr.nice = real_time(attr.policy) ? 0 : target->nice;
  attr.priority = target->sched_priority;
  attr.clamp_max = 1024;
  FL_TRY(task.user().write(args.ptr(1), std::as_bytes(std::span(&attr, 1)).first(attr.size)));
  return 0;
}

Result<uint32_t> sys_sched_rr_get_interval(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return rr_interval<Timespec32>(kernel, task, args);
}
Result<uint32_t> sys_sched_rr_get_interval_time64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return rr_interval<Timespec64>(kernel, task, args);
}

Result<uint32_t> sys_sched_get_priority_max(Kernel&, Task&, const SyscallArgs& args) {
  if (!known_policy(args[0])) {
    return fail(Errno::kEINVAL);
  }
  return real_time(args[0]) ? 99 : 0;
}

Result<uint32_t> sys_sched_get_priority_min(Kernel&, Task&, const SyscallArgs& args) {
  if (!known_policy(args[0])) {
    return fail(Errno::kEINVAL);
  }
  return real_time(args[0]) ? 1 : 0;
}

Result<uint32_t> sys_getcpu(Kernel&, Task& task, const SyscallArgs& args) {
  vm::UserAccess user = task.user();
  for (const size_t i : {size_t{0}, size_t{1}}) {
    if (args[i] != 0) {
      FL_TRY(user.put(args.ptr(i), uint32_t{0}));
    }
  }
  return 0;
}

Result<uint32_t> sys_nice(Kernel&, Task& task, const SyscallArgs& args) {
  const int32_t change = std::clamp(args.s(0), -40, 40);
  return set_nice(task, task, task.nice + change) ? Result<uint32_t>(0) : fail(Errno::kEPERM);
}

Result<uint32_t> sys_getpriority(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[0] > kPrioUser) {
    return fail(Errno::kEINVAL);
  }
  // The most favoured one's, shifted so that it is never negative.
  std::optional<int32_t> best;
  for (const Task& other : kernel.tasks()) {
    if (other.alive() && means(task, other, args[0], args[1])) {
      best = std::max(best.value_or(0), kMaxNice + 1 - other.nice);
    }
  }
  return best ? Result<uint32_t>(static_cast<uint32_t>(*best)) : fail(Errno::kESRCH);
}

Result<uint32_t> sys_setpriority(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[0] > kPrioUser) {
    return fail(Errno::kEINVAL);
  }
  bool changed = false;
  Errno error = Errno::kESRCH;
  for (Task& other : kernel.tasks()) {
    if (!other.alive() || !means(task, other, args[0], args[1])) {
      continue;
    }
    if (const Status done = set_nice(task, other, args.s(2)); !done) {
      error = done.error();
    } else {
      changed = true;
    }
  }
  return changed && error == Errno::kESRCH ? Result<uint32_t>(0) : fail(error);
}

// With one processor every other thread is off it, so each barrier has already happened.
Result<uint32_t> sys_membarrier(Kernel&, Task& task, const SyscallArgs& args) {
  if (args[1] != 0) {
    return fail(Errno::kEINVAL);
  }
  uint32_t& registered = task.group->membarrier_registered;
  switch (args[0]) {
    case Membarrier::kQuery:
      return Membarrier::kAll;
    case Membarrier::kRegisterGlobalExpedited:
    case Membarrier::kRegisterPrivateExpedited:
      registered |= args[0];
      return 0;
    case Membarrier::kGlobal:
    case Membarrier::kGlobalExpedited:
      return 0;
    case Membarrier::kPrivateExpedited:
      return (registered & Membarrier::kRegisterPrivateExpedited) != 0 ? Result<uint32_t>(0) : fail(Errno::kEPERM);
    default:
      return fail(Errno::kEINVAL);
  }
}

}  // namespace fl::guest
