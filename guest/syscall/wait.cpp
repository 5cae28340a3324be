// Waiting for children: wait4, waitpid, waitid. Linux counterpart: do_wait, wait_consider_task, wait_task_zombie
// (kernel/exit.c).
#include <optional>

#include "guest/fs/pidfd.hpp"
#include "guest/kernel.hpp"
#include "guest/process/rusage.hpp"
#include "guest/signal/frame.hpp"
#include "guest/signal/send.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task.hpp"
#include "guest/task/wait_status.hpp"

namespace fl::guest {
namespace {

struct WaitOption {
  enum Bit : uint32_t {
    kNoHang = 1,
    kUntraced = 2,  // WSTOPPED
    kExited = 4,
    kContinued = 8,
    kNoWait = 0x01000000,
    kNoThread = 0x20000000,
    kAll = 0x40000000,
    kClone = 0x80000000,
  };
};

enum class Whom : uint8_t { kAny, kPid, kGroup };

struct WaitRequest {
  Whom whom = Whom::kAny;
  uint32_t id = 0;
  uint32_t options = 0;
};

// What was found: a child and what became of it.
struct WaitResult {
  uint32_t pid = 0;
  uint32_t uid = 0;
  uint32_t status = 0;  // as wait4 stores it
  int32_t code = 0;     // SiCode::kChld...
  int32_t si_status = 0;
  ResourceUse use{};
};

// Linux: eligible_child.
bool eligible(const WaitRequest& request, const ThreadGroup& child) {
  if (request.whom == Whom::kPid && child.tgid != request.id) {
    return false;
  }
  if (request.whom == Whom::kGroup && child.pgid != request.id) {
    return false;
  }
  // __WCLONE is for children that end with another signal than SIGCHLD.
  const bool clone_child = child.exit_signal != Signal::kChld;
  return (request.options & WaitOption::kAll) != 0 || clone_child == ((request.options & WaitOption::kClone) != 0);
}

WaitResult zombie_result(const Kernel& kernel, const ThreadGroup& child) {
  const ChildEnd end = child_end(child.exit_status);
  WaitResult result{.pid = child.tgid,
                    .uid = child.leader->cred.uid,
                    .status = child.exit_status,
                    .code = end.code,
                    .si_status = end.status,
                    .use = kernel.resource_use(child)};
  result.use.add(child.waited_children);
  return result;
}

// Something to tell of this child, which counts as told afterwards unless WNOWAIT. Linux: wait_consider_task.
std::optional<WaitResult> look_at(Kernel& kernel, ThreadGroup& parent, ThreadGroup& child, uint32_t options) {
  const bool keep = (options & WaitOption::kNoWait) != 0;
  if (child.live_threads == 0) {
    if ((options & WaitOption::kExited) == 0) {
      return std::nullopt;
    }
    const WaitResult result = zombie_result(kernel, child);
    if (!keep) {
      parent.waited_children.add(result.use);
      kernel.reap(child);
    }
    return result;
  }
  WaitResult result{.pid = child.tgid, .uid = child.leader->cred.uid};
  if ((options & WaitOption::kUntraced) != 0 && child.stop_signal != 0 && child.stop_untold) {
    child.stop_untold = keep;
    result.status = static_cast<uint32_t>(child.stop_signal) << 8 | 0x7f;
    result.code = SiCode::kChldStopped;
    result.si_status = child.stop_signal;
    return result;
  }
  if ((options & WaitOption::kContinued) != 0 && child.continue_untold) {
    child.continue_untold = keep;
    result.status = 0xffff;
    result.code = SiCode::kChldContinued;
    result.si_status = Signal::kCont;
    return result;
  }
  return std::nullopt;
}

// The first child that there is something to tell of; none with WNOHANG if there is nothing yet. ECHILD.
Result<std::optional<WaitResult>> do_wait(Kernel& kernel, Task& task, const WaitRequest& request) {
  ThreadGroup& parent = *task.group;
  bool any = false;
  for (auto at = parent.children.begin(); at != parent.children.end();) {
    ThreadGroup& child = *at;
    ++at;
    if (!eligible(request, child)) {
      continue;
    }
    // A zombie that the caller does not ask for is no reason to wait.
    any = any || child.live_threads != 0 || (request.options & WaitOption::kExited) != 0;
    if (const auto result = look_at(kernel, parent, child, request.options)) {
      return result;
    }
  }
  if (!any) {
    return fail(Errno::kECHILD);
  }
  if ((request.options & WaitOption::kNoHang) != 0) {
    return std::optional<WaitResult>();
  }
  if (signal_pending(task)) {
    return fail(kRestartSys);
  }
  parent.child_changed.add(task.waiter);
  return kernel.sleep(task, "wait4", request.id, std::nullopt);
}

Status put_rusage(Task& task, VirtAddr to, const ResourceUse& use) {
  return to.value() == 0 ? Status() : task.user().put(to, to_rusage(use));
}

Result<uint32_t> wait4(Kernel& kernel, Task& task, const SyscallArgs& args, VirtAddr rusage) {
  constexpr uint32_t kKnown = WaitOption::kNoHang | WaitOption::kUntraced | WaitOption::kContinued |
                              WaitOption::kNoThread | WaitOption::kClone | WaitOption::kAll;
  const int32_t pid = args.s(0);
  if ((args[2] & ~kKnown) != 0) {
    return fail(Errno::kEINVAL);
  }
  if (pid == INT32_MIN) {
    return fail(Errno::kESRCH);
  }
  WaitRequest request{.options = args[2] | WaitOption::kExited};
  if (pid == 0) {
    request.whom = Whom::kGroup;
    request.id = task.group->pgid;
  } else if (pid != -1) {
    request.whom = pid > 0 ? Whom::kPid : Whom::kGroup;
    request.id = static_cast<uint32_t>(pid > 0 ? pid : -pid);
  }
  FL_TRY_ASSIGN(const std::optional<WaitResult> result, do_wait(kernel, task, request));
  if (!result) {
    return 0;
  }
  if (args[1] != 0) {
    FL_TRY(task.user().put(args.ptr(1), result->status));
  }
  FL_TRY(put_rusage(task, rusage, result->use));
  return result->pid;
}

}  // namespace

Result<uint32_t> sys_wait4(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return wait4(kernel, task, args, args.ptr(3));
}

Result<uint32_t> sys_waitpid(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return wait4(kernel, task, args, VirtAddr(0));
}

// which, id, siginfo, options, rusage.
Result<uint32_t> sys_waitid(Kernel& kernel, Task& task, const SyscallArgs& args) {
  enum Which : uint32_t { kPAll, kPPid, kPPgid, kPPidfd };
  constexpr uint32_t kStates = WaitOption::kExited | WaitOption::kUntraced | WaitOption::kContinued;
  constexpr uint32_t kKnown = kStates | WaitOption::kNoHang | WaitOption::kNoWait | WaitOption::kNoThread |
                              WaitOption::kClone | WaitOption::kAll;
  if ((args[3] & ~kKnown) != 0 || (args[3] & kStates) == 0) {
    return fail(Errno::kEINVAL);
  }
  WaitRequest request{.id = args[1], .options = args[3]};
  bool nonblocking = false;
  switch (args[0]) {
    case kPAll:
      break;
    case kPPid:
      if (args.s(1) <= 0) {
        return fail(Errno::kEINVAL);
      }
      request.whom = Whom::kPid;
      break;
    case kPPgid:
      if (args.s(1) < 0) {
        return fail(Errno::kEINVAL);
      }
      request.whom = Whom::kGroup;
      request.id = args[1] == 0 ? task.group->pgid : args[1];
      break;
    case kPPidfd: {
      if (args.s(1) < 0) {
        return fail(Errno::kEINVAL);
      }
      FL_TRY_ASSIGN(const std::shared_ptr<PidFile> file, pid_file(task, args[1]));
      request.whom = Whom::kPid;
      request.id = file->group().reaped ? 0 : file->group().tgid;
      nonblocking = file->nonblocking() && (args[3] & WaitOption::kNoHang) == 0;
      request.options |= nonblocking ? uint32_t{WaitOption::kNoHang} : 0u;
      break;
    }
    default:
      return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const std::optional<WaitResult> result, do_wait(kernel, task, request));
  if (!result && nonblocking) {
    return fail(Errno::kEAGAIN);
  }
  if (result) {
    FL_TRY(put_rusage(task, args.ptr(4), result->use));
  }
  if (args[2] != 0) {
    const WaitResult told = result.value_or(WaitResult{});
    // Only these six words are stored, one by one.
    const std::array<uint32_t, 6> words{
        result ? uint32_t{Signal::kChld} : 0u, 0u, static_cast<uint32_t>(told.code), told.pid, told.uid,
        static_cast<uint32_t>(told.si_status)};
    FL_TRY(task.user().put(args.ptr(2), words));
  }
  return 0;
}

}  // namespace fl::guest
