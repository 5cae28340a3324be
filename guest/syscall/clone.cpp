// fork, vfork, clone, clone3 and exec: the arguments of the calls that make and change programs. Linux counterparts:
// the system calls of kernel/fork.c and fs/exec.c.
#include "guest/fs/vfs.hpp"
#include "guest/ipc/ipc.hpp"
#include "guest/kernel.hpp"
#include "guest/signal/send.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task/exec.hpp"

namespace fl::guest {
namespace {

// The parent of a vfork sleeps until the child gives up the memory that they share; only SIGKILL ends that earlier.
// Linux: wait_for_vfork_done.
Result<uint32_t> wait_for_vfork(Kernel& kernel, Task& task, uint32_t child) {
  return kernel.sleep(task, "vfork", child, std::nullopt, SleepKind::kKillable);
}

Result<uint32_t> clone(Kernel& kernel, Task& task, const CloneRequest& request) {
  if (task.wait.resumed) {
    if (!task.wait.satisfied && !kill_pending(task)) {
      return wait_for_vfork(kernel, task, task.wait.object);
    }
    return task.wait.object;
  }
  FL_TRY_ASSIGN(const Task* const child, kernel.clone(task, request));
  return (request.flags & CloneFlag::kVfork) != 0 ? wait_for_vfork(kernel, task, child->tid)
                                                  : Result<uint32_t>(child->tid);
}

// struct clone_args (linux/sched.h).
struct CloneArgs {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
constexpr uint32_t kCloneArgsVersion0 = 64;

Result<CloneArgs> read_clone_args(Task& task, VirtAddr from, uint32_t size) {
  if (size > kPageSize) {
    return fail(Errno::kE2BIG);
  }
  if (size < kCloneArgsVersion0) {
    return fail(Errno::kEINVAL);
  }
  return task.user().get_struct<CloneArgs>(from, size);
}

// Linux: copy_clone_args_from_user, clone3_args_valid.
Result<CloneRequest> to_request(const CloneArgs& args) {
  constexpr uint64_t kKnown = 0xffffffffull | CloneFlag::kClearSigHand | CloneFlag::kIntoCgroup;
  constexpr uint64_t kMostSignal = 64;
  const bool bad_stack =
      (args.stack == 0) != (args.stack_size == 0) ||
      (args.stack != 0 && (args.stack > UINT32_MAX || args.stack_size > UINT32_MAX ||
                           !vm::UserAccess::access_ok(VirtAddr(static_cast<uint32_t>(args.stack)), args.stack_size)));
  const bool thread_signal = (args.flags & (CloneFlag::kThread | CloneFlag::kParent)) != 0 && args.exit_signal != 0;
  if ((args.flags & ~kKnown) != 0 || (args.flags & (CloneFlag::kDetached | CloneFlag::kExitSignalMask)) != 0 ||
      args.exit_signal > kMostSignal || args.set_tid != 0 || args.set_tid_size != 0 || thread_signal || bad_stack) {
    return fail(Errno::kEINVAL);
  }
  const auto pointer = [](uint64_t value) { return VirtAddr(static_cast<uint32_t>(value)); };
  CloneRequest request;
  request.flags = args.flags;
  request.exit_signal = static_cast<int>(args.exit_signal);
  request.stack = static_cast<uint32_t>(args.stack + args.stack_size);
  request.parent_tid = pointer(args.parent_tid);
  request.child_tid = pointer(args.child_tid);
  request.tls = pointer(args.tls);
  request.pidfd = pointer(args.pidfd);
  return request;
}

Result<ExecCall> exec_call(Task& task, int32_t dirfd, VirtAddr path, VirtAddr argv, VirtAddr envp, uint32_t flags) {
  FL_TRY_ASSIGN(std::string name, user_path(task, path));
  return make_exec_call(task, dirfd, std::move(name), argv, envp, flags);
}

Result<uint32_t> execute(Kernel& kernel, Task& task, const Result<ExecCall>& call) {
  if (!call) {
    return fail(call.error());
  }
  FL_TRY(kernel.exec(task, *call));
  return 0;
}

}  // namespace

Result<uint32_t> sys_fork(Kernel& kernel, Task& task, const SyscallArgs&) {
  return clone(kernel, task, {.exit_signal = Signal::kChld});
}

Result<uint32_t> sys_vfork(Kernel& kernel, Task& task, const SyscallArgs&) {
  return clone(kernel, task, {.flags = CloneFlag::kVfork | CloneFlag::kVm, .exit_signal = Signal::kChld});
}

// flags, stack, parent_tid, tls, child_tid.
Result<uint32_t> sys_clone(Kernel& kernel, Task& task, const SyscallArgs& args) {
  // Both have the same place.
  constexpr uint32_t kBoth = CloneFlag::kPidfd | CloneFlag::kParentSetTid;
  if ((args[0] & kBoth) == kBoth) {
    return fail(Errno::kEINVAL);
  }
  return clone(kernel, task,
               {.flags = args[0] & ~uint64_t{CloneFlag::kExitSignalMask},
                .exit_signal = static_cast<int>(args[0] & CloneFlag::kExitSignalMask),
                .stack = args[1],
                .parent_tid = args.ptr(2),
                .child_tid = args.ptr(4),
                .pidfd = args.ptr(2),
                .tls = args.ptr(3)});
}

Result<uint32_t> sys_clone3(Kernel& kernel, Task& task, const SyscallArgs& args) {
  CloneRequest request;
  if (!task.wait.resumed) {
    FL_TRY_ASSIGN(const CloneArgs given, read_clone_args(task, args.ptr(0), args[1]));
    FL_TRY_ASSIGN(request, to_request(given));
  }
  return clone(kernel, task, request);
}

// Linux: ksys_unshare. What threads share cannot be unshared while there are several.
Result<uint32_t> sys_unshare(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kOwn = CloneFlag::kFs | CloneFlag::kFiles | CloneFlag::kSysVSem;
  constexpr uint32_t kOfThreads = CloneFlag::kThread | CloneFlag::kSigHand | CloneFlag::kVm;
  const uint32_t flags = args[0];
  if ((flags & ~(kOwn | kOfThreads)) != 0 || ((flags & kOfThreads) != 0 && task.group->live_threads > 1)) {
    return fail(Errno::kEINVAL);
  }
  if ((flags & CloneFlag::kSysVSem) != 0) {
    kernel.ipc().sysv.sem.exit_sem(task);
  }
  if ((flags & CloneFlag::kFs) != 0) {
    FL_TRY_ASSIGN(task.fs, task.fs->clone());
  }
  if ((flags & CloneFlag::kFiles) != 0) {
    FL_TRY_ASSIGN(task.files, task.files->clone());
  }
  return 0;
}

Result<uint32_t> sys_execve(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return execute(kernel, task, exec_call(task, kAtFdCwd, args.ptr(0), args.ptr(1), args.ptr(2), 0));
}

Result<uint32_t> sys_execveat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return execute(kernel, task, exec_call(task, args.s(0), args.ptr(1), args.ptr(2), args.ptr(3), args[4]));
}

}  // namespace fl::guest
