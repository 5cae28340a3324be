// Waiting for signals without handlers, and sending them with a value. Linux counterparts: rt_sigtimedwait,
// rt_sigqueueinfo, rt_tgsigqueueinfo (kernel/signal.c).
#include <array>
#include <optional>

#include "guest/kernel.hpp"
#include "guest/signal/frame.hpp"
#include "guest/signal/send.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/time_types.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kSigsetSize = 8;

Result<uint32_t> give(Task& task, const SignalInfo& info, VirtAddr to) {
  if (to.value() != 0) {
    FL_TRY(task.user().put(to, siginfo_to_user(info)));
  }
  return static_cast<uint32_t>(info.signal);
}

// Linux: do_sigtimedwait. While it waits the signals it waits for are let through, so that they wake the task.
Result<uint32_t> wait_for(Kernel& kernel, Task& task, SignalSet wanted, VirtAddr to,
                          std::optional<uint64_t> timeout_ns) {
  if (task.real_blocked) {
    set_blocked(task, *task.real_blocked);
    task.real_blocked.reset();
  }
  const SignalInfo info = dequeue_signal(task, ~wanted);
  if (info.signal != 0) {
    return give(task, info, to);
  }
  if (task.wait.resumed) {
    const bool expired = task.wait.deadline_ns && kernel.time().now_ns() >= *task.wait.deadline_ns;
    return fail(expired && !signal_pending(task) ? Errno::kEAGAIN : Errno::kEINTR);
  }
  if (timeout_ns == 0u) {
    return fail(Errno::kEAGAIN);
  }
  std::optional<uint64_t> deadline;
  if (timeout_ns) {
    deadline = kernel.time().now_ns() + *timeout_ns;
  }
  task.real_blocked = task.blocked;
  task.blocked = task.blocked & ~wanted;
  return kernel.sleep(task, "sigtimedwait", 0, deadline);
}

template <typename Timespec>
Result<uint32_t> sigtimedwait(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[3] != kSigsetSize) {
    return fail(Errno::kEINVAL);
  }
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const auto words, (user.get<std::array<uint32_t, 2>>(args.ptr(0))));
  std::optional<uint64_t> timeout;
  if (args[2] != 0) {
    FL_TRY_ASSIGN(const auto time, user.get<Timespec>(args.ptr(2)));
    timeout = to_ns(time);
    if (!timeout) {
      return fail(Errno::kEINVAL);
    }
  }
  const SignalSet wanted(words[0] | uint64_t{words[1]} << 32);
  return wait_for(kernel, task, wanted.blockable(), args.ptr(1), timeout);
}

// A signal with a value for the task or process `tid`, if it is one of `tgid`. Linux: do_rt_sigqueueinfo.
Result<uint32_t> queue(Kernel& kernel, Task& task, std::optional<uint32_t> tgid, uint32_t tid, int signal,
                       VirtAddr from) {
  FL_TRY_ASSIGN(const auto given, task.user().get<SigInfo32>(from));
  // To others it must not look like one from the kernel or from kill.
  if ((given.code >= 0 || given.code == SiCode::kTkill) && tid != task.tid) {
    return fail(Errno::kEPERM);
  }
  Task* const target = kernel.find_task(tid);
  if (target == nullptr || (tgid && target->tgid != *tgid)) {
    return fail(Errno::kESRCH);
  }
  if (signal != 0 && !valid_signal(signal)) {
    return fail(Errno::kEINVAL);
  }
  if (given.code <= 0 && !may_signal(task, *target, signal)) {
    return fail(Errno::kEPERM);
  }
  if (signal != 0) {
    const SignalInfo info{.signal = signal,
                          .code = given.code,
                          .error = given.error,
                          .pid = given.fields[0],
                          .uid = given.fields[1],
                          .value = given.fields[2]};
    FL_TRY(send_signal(kernel, *target, info, tgid ? SignalTarget::kTask : SignalTarget::kGroup));
  }
  return 0;
}

}  // namespace

Result<uint32_t> sys_rt_sigtimedwait(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return sigtimedwait<Timespec32>(kernel, task, args);
}
Result<uint32_t> sys_rt_sigtimedwait_time64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return sigtimedwait<Timespec64>(kernel, task, args);
}

Result<uint32_t> sys_rt_sigqueueinfo(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return queue(kernel, task, std::nullopt, args[0], args.s(1), args.ptr(2));
}

Result<uint32_t> sys_rt_tgsigqueueinfo(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args.s(0) <= 0 || args.s(1) <= 0) {
    return fail(Errno::kEINVAL);
  }
  return queue(kernel, task, args[0], args[1], args.s(2), args.ptr(3));
}

}  // namespace fl::guest
