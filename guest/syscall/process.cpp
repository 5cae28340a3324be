// Who a task is and how it ends: ids, name, personality, prctl, exit. Linux counterparts: kernel/sys.c, kernel/exit.c.
#include <algorithm>
#include <array>
#include <cstring>

#include "guest/kernel.hpp"
#include "guest/process/rseq.hpp"
#include "guest/signal/signal.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kCommLength = 16;

struct Prctl {
  enum Option : uint32_t {
    kSetPdeathsig = 1,
    kGetPdeathsig = 2,
    kGetDumpable = 3,
    kSetDumpable = 4,
    kSetName = 15,
    kGetName = 16,
    kGetKeepCaps = 7,
    kSetKeepCaps = 8,
    kGetSeccomp = 21,
    kCapBsetRead = 23,
    kSetTimerSlack = 29,
    kGetTimerSlack = 30,
    kSetChildSubreaper = 36,
    kGetChildSubreaper = 37,
    kSetNoNewPrivs = 38,
    kGetNoNewPrivs = 39,
    kGetTidAddress = 40,
  };
  static constexpr uint32_t kLastCapability = 40;
  static constexpr uint32_t kDefaultTimerSlackNs = 50'000;
};

Result<uint32_t> set_name(Task& task, VirtAddr from) {
  // As strncpy_from_user: what is longer is cut, not refused.
  std::array<char, kCommLength> name{};
  vm::UserAccess user = task.user();
  for (uint32_t i = 0; i < kCommLength - 1; ++i) {
    FL_TRY_ASSIGN(name[i], user.get<char>(from + i));
    if (name[i] == '\0') {
      break;
    }
  }
  task.comm = name.data();
  return 0;
}

Result<uint32_t> get_name(Task& task, VirtAddr to) {
  std::array<char, kCommLength> name{};
  std::copy_n(task.comm.data(), std::min<size_t>(task.comm.size(), kCommLength - 1), name.data());
  FL_TRY(task.user().put(to, name));
  return 0;
}

// The task of a pid argument, 0 for the caller. ESRCH.
Result<Task*> task_of(Kernel& kernel, Task& task, uint32_t pid) {
  Task* found = pid == 0 ? &task : kernel.find_task(pid);
  if (found == nullptr) {
    return fail(Errno::kESRCH);
  }
  return found;
}

}  // namespace

Result<uint32_t> sys_getpid(Kernel&, Task& task, const SyscallArgs&) { return task.tgid; }
Result<uint32_t> sys_gettid(Kernel&, Task& task, const SyscallArgs&) { return task.tid; }
Result<uint32_t> sys_getppid(Kernel&, Task& task, const SyscallArgs&) { return task.group->parent_id(); }
Result<uint32_t> sys_getpgrp(Kernel&, Task& task, const SyscallArgs&) { return task.group->pgid; }

Result<uint32_t> sys_getpgid(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const Task* const found, task_of(kernel, task, args[0]));
  return found->group->pgid;
}
Result<uint32_t> sys_getsid(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const Task* const found, task_of(kernel, task, args[0]));
  return found->group->sid;
}

Result<uint32_t> sys_setpgid(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const uint32_t pid = args[0] == 0 ? task.tgid : args[0];
  const uint32_t pgid = args[1] == 0 ? pid : args[1];
  if (static_cast<int32_t>(pgid) < 0) {
    return fail(Errno::kEINVAL);
  }
  Task* const target = kernel.find_task(pid);
  if (target == nullptr) {
    return fail(Errno::kESRCH);
  }
  if (!target->is_leader()) {
    return fail(Errno::kEINVAL);
  }
  ThreadGroup& group = *target->group;
  if (group.parent == task.group.get()) {
    if (group.sid != task.group->sid) {
      return fail(Errno::kEPERM);
    }
    if (group.executed) {
      return fail(Errno::kEACCES);
    }
  } else if (target->group != task.group) {
    return fail(Errno::kESRCH);
  }
  // A session leader stays in its group, and a group to join must be one of the session.
  if (group.sid == group.tgid) {
    return fail(Errno::kEPERM);
  }
  const bool exists = std::any_of(kernel.tasks().begin(), kernel.tasks().end(), [&](const Task& other) {
    return other.group->pgid == pgid && other.group->sid == task.group->sid;
  });
  if (pgid != pid && !exists) {
    return fail(Errno::kEPERM);
  }
  group.pgid = pgid;
  return 0;
}

Result<uint32_t> sys_setsid(Kernel& kernel, Task& task, const SyscallArgs&) {
  ThreadGroup& group = *task.group;
  // A process group of this number exists already: the caller leads it, or left it to others.
  const bool leads = std::any_of(kernel.tasks().begin(), kernel.tasks().end(),
                                 [&](const Task& other) { return other.group->pgid == group.tgid; });
  if (leads || group.sid == group.tgid) {
    return fail(Errno::kEPERM);
  }
  group.sid = group.pgid = group.tgid;
  return group.sid;
}

Result<uint32_t> sys_personality(Kernel&, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kQuery = ~0u;
  constexpr uint32_t kReadImpliesExec = 0x0400000;
  const uint32_t old = task.personality;
  if (args[0] != kQuery) {
    task.personality = args[0];
    task.mm->set_read_implies_exec((args[0] & kReadImpliesExec) != 0);
  }
  return old;
}

Result<uint32_t> sys_prctl(Kernel&, Task& task, const SyscallArgs& args) {
  switch (args[0]) {
    case Prctl::kSetPdeathsig:
      if (args[1] != 0 && !valid_signal(args.s(1))) {
        return fail(Errno::kEINVAL);
      }
      task.parent_death_signal = args[1];
      return 0;
    case Prctl::kGetPdeathsig:
      FL_TRY(task.user().put(args.ptr(1), task.parent_death_signal));
      return 0;
    case Prctl::kGetDumpable:
      return task.group->dumpable;
    case Prctl::kSetDumpable:
      if (args[1] > 1) {
        return fail(Errno::kEINVAL);
      }
      task.group->dumpable = args[1];
      return 0;
    case Prctl::kSetName:
      return set_name(task, args.ptr(1));
    case Prctl::kGetName:
      return get_name(task, args.ptr(1));
    case Prctl::kGetSeccomp:
      return 0;
    case Prctl::kSetNoNewPrivs:
      if (args[1] != 1 || args[2] != 0 || args[3] != 0 || args[4] != 0) {
        return fail(Errno::kEINVAL);
      }
      task.group->no_new_privs = true;
      return 0;
    case Prctl::kGetNoNewPrivs:
      if (args[1] != 0 || args[2] != 0 || args[3] != 0 || args[4] != 0) {
        return fail(Errno::kEINVAL);
      }
      return task.group->no_new_privs ? 1 : 0;
    case Prctl::kGetKeepCaps:
      return task.keep_caps ? 1 : 0;
    case Prctl::kSetKeepCaps:
      if (args[1] > 1) {
        return fail(Errno::kEINVAL);
      }
      task.keep_caps = args[1] == 1;
      return 0;
    case Prctl::kCapBsetRead:
      return args[1] <= Prctl::kLastCapability ? Result<uint32_t>(1) : fail(Errno::kEINVAL);
    case Prctl::kSetTimerSlack:
      task.timer_slack_ns = args.s(1) <= 0 ? Prctl::kDefaultTimerSlackNs : args[1];
      return 0;
    case Prctl::kGetTimerSlack:
      return task.timer_slack_ns;
    case Prctl::kSetChildSubreaper:
      task.group->child_subreaper = args[1] != 0;
      return 0;
    case Prctl::kGetChildSubreaper:
      FL_TRY(task.user().put(args.ptr(1), task.group->child_subreaper ? 1u : 0u));
      return 0;
    case Prctl::kGetTidAddress:
      FL_TRY(task.user().put(args.ptr(1), task.clear_child_tid));
      return 0;
    default:
      return fail(Errno::kEINVAL);
  }
}

Result<uint32_t> sys_set_tid_address(Kernel&, Task& task, const SyscallArgs& args) {
  task.clear_child_tid = args[0];
  return task.tid;
}

Result<uint32_t> sys_set_robust_list(Kernel&, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kHeadSize = 12;  // struct robust_list_head of i386
  if (args[1] != kHeadSize) {
    return fail(Errno::kEINVAL);
  }
  task.robust_list = args[0];
  return 0;
}

Result<uint32_t> sys_get_robust_list(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kHeadSize = 12;
  FL_TRY_ASSIGN(const Task* const found, task_of(kernel, task, args[0]));
  vm::UserAccess user = task.user();
  FL_TRY(user.put(args.ptr(2), kHeadSize));
  FL_TRY(user.put(args.ptr(1), found->robust_list));
  return 0;
}

Result<uint32_t> sys_rseq(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY(rseq_register(kernel, task, args[0], args[1], args[2], args[3]));
  return 0;
}

Result<uint32_t> sys_exit(Kernel& kernel, Task& task, const SyscallArgs& args) {
  kernel.exit_task(task, (args[0] & 0xff) << 8);
  return 0;
}

Result<uint32_t> sys_exit_group(Kernel& kernel, Task& task, const SyscallArgs& args) {
  kernel.exit_group(task, (args[0] & 0xff) << 8);
  return 0;
}

}  // namespace fl::guest
