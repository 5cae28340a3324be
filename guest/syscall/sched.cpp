// Scheduling calls on a machine of one processor. Linux counterparts: kernel/sched/core.c, kernel/sched/membarrier.c.
#include <algorithm>
#include <array>

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

Status exists(Kernel& kernel, uint32_t pid) {
  if (static_cast<int32_t>(pid) < 0) {
    return fail(Errno::kEINVAL);
  }
  if (pid != 0 && kernel.find_task(pid) == nullptr) {
    return fail(Errno::kESRCH);
  }
  return {};
}

Result<uint32_t> set_nice(Task& task, int32_t nice) {
  nice = std::clamp(nice, kMinNice, kMaxNice);
  if (nice < task.nice && task.cred.euid != 0) {
    return fail(Errno::kEACCES);
  }
  task.nice = nice;
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
  FL_TRY(exists(kernel, args[0]));
  const std::array<uint32_t, 2> first_processor{1, 0};
  const uint32_t bytes = std::min(args[1], mask_size);
  FL_TRY(task.user().write(args.ptr(2), std::as_bytes(std::span(first_processor)).first(bytes)));
  return bytes;
}

Result<uint32_t> sys_sched_setaffinity(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY(exists(kernel, args[0]));
  uint8_t first_byte = 0;
  if (args[1] > 0) {
    FL_TRY_ASSIGN(first_byte, task.user().get<uint8_t>(args.ptr(2)));
  }
  if ((first_byte & 1) == 0) {
    return fail(Errno::kEINVAL);
  }
  return 0;
}

Result<uint32_t> sys_sched_getscheduler(Kernel& kernel, Task&, const SyscallArgs& args) {
  FL_TRY(exists(kernel, args[0]));
  return Policy::kOther;
}

Result<uint32_t> sys_sched_getparam(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY(exists(kernel, args[0]));
  FL_TRY(task.user().put(args.ptr(1), int32_t{0}));
  return 0;
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
  const Result<uint32_t> result = set_nice(task, task.nice + change);
  return result ? result : fail(Errno::kEPERM);
}

Result<uint32_t> sys_getpriority(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kPrioUser = 2;
  if (args[0] > kPrioUser) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY(exists(kernel, args[0] == 0 ? args[1] : 0));
  // Shifted, so that it is never negative.
  return static_cast<uint32_t>(kMaxNice + 1 - task.nice);
}

Result<uint32_t> sys_setpriority(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kPrioUser = 2;
  if (args[0] > kPrioUser) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY(exists(kernel, args[0] == 0 ? args[1] : 0));
  return set_nice(task, args.s(2));
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
