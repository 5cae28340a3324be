// Signal calls: actions, masks, sending, waiting, sigreturn. Linux counterpart: kernel/signal.c,
// arch/x86/kernel/signal_32.c.
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
// Flags that sigaction keeps; it clears the others, so that a program can find out which it has. Linux: UAPI_SA_FLAGS.
constexpr uint32_t kKnownFlags = SaFlag::kNoCldStop | SaFlag::kNoCldWait | SaFlag::kSigInfo | SaFlag::kExposeTagBits |
                                 SaFlag::kRestorer | SaFlag::kOnStack | SaFlag::kRestart | SaFlag::kNoDefer |
                                 SaFlag::kResetHand;

// struct sigaction for rt_sigaction, and the one of the first sigaction.
struct KernelSigaction {
  uint32_t handler, flags, restorer;
  std::array<uint32_t, 2> mask;
};
static_assert(sizeof(KernelSigaction) == 20);
struct OldSigaction {
  uint32_t handler, mask, flags, restorer;
};

SignalSet to_set(const std::array<uint32_t, 2>& words) { return SignalSet(words[0] | uint64_t{words[1]} << 32); }
std::array<uint32_t, 2> to_words(SignalSet set) {
  return {static_cast<uint32_t>(set.bits()), static_cast<uint32_t>(set.bits() >> 32)};
}

// Linux: do_sigaction. Gives the old action.
Result<SignalAction> change_action(Kernel& kernel, Task& task, int signal, const std::optional<SignalAction>& action) {
  if (!valid_signal(signal) || (action && (signal == Signal::kKill || signal == Signal::kStop))) {
    return fail(Errno::kEINVAL);
  }
  SignalAction& slot = (*task.handlers)[signal];
  const SignalAction old = slot;
  if (action) {
    slot = *action;
    slot.flags &= kKnownFlags;
    slot.mask = action->mask.blockable();
    const DefaultAction by_default = default_action(signal);
    const bool ignores =
        slot.handler == kSigIgn ||
        (slot.handler == kSigDfl && (by_default == DefaultAction::kIgnore || by_default == DefaultAction::kContinue));
    if (ignores) {
      SignalSet gone;
      gone.add(signal);
      discard_signals(kernel, task.group->pending, gone);
      for (ThreadLink& link : task.group->threads) {
        discard_signals(kernel, link.task.pending, gone);
      }
    }
  }
  return old;
}

// Linux: SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK.
Result<SignalSet> combine(uint32_t how, SignalSet blocked, SignalSet set) {
  switch (how) {
    case 0:
      return blocked | set.blockable();
    case 1:
      return blocked & ~set;
    case 2:
      return set;
    default:
      return fail(Errno::kEINVAL);
  }
}

// Sleeps until a signal is there that is not blocked. Linux: sigsuspend, pause.
Result<uint32_t> wait_for_signal(Kernel& kernel, Task& task, const char* reason) {
  if (signal_pending(task)) {
    return fail(kRestartNoHand);
  }
  return kernel.sleep(task, reason, 0, std::nullopt);
}

// kill(2)'s four meanings of pid. Zombies can be addressed too.
bool addressed(const Task& sender, const Task& target, int32_t pid) {
  if (!target.is_leader()) {
    return false;
  }
  if (pid > 0) return target.tgid == static_cast<uint32_t>(pid);
  if (pid == 0) return target.group->pgid == sender.group->pgid;
  if (pid == -1) return target.tgid != sender.tgid;
  return target.group->pgid == 0u - static_cast<uint32_t>(pid);
}

Result<uint32_t> send_to_thread(Kernel& kernel, Task& task, uint32_t tgid, uint32_t tid, int signal) {
  constexpr uint32_t kAnyGroup = 0;
  Task* target = kernel.find_task(tid);
  if (target == nullptr || (tgid != kAnyGroup && target->tgid != tgid)) {
    return fail(Errno::kESRCH);
  }
  if (signal != 0 && !valid_signal(signal)) {
    return fail(Errno::kEINVAL);
  }
  if (!may_signal(task, *target, signal)) {
    return fail(Errno::kEPERM);
  }
  if (signal != 0) {
    const SignalInfo info{.signal = signal, .code = SiCode::kTkill, .pid = task.tgid, .uid = task.cred.uid};
    FL_TRY(send_signal(kernel, *target, info, SignalTarget::kTask));
  }
  return 0;
}

}  // namespace

Result<uint32_t> sys_rt_sigaction(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[3] != kSigsetSize) {
    return fail(Errno::kEINVAL);
  }
  vm::UserAccess user = task.user();
  std::optional<SignalAction> action;
  if (args[1] != 0) {
    FL_TRY_ASSIGN(const auto given, user.get<KernelSigaction>(args.ptr(1)));
    action = SignalAction{given.handler, given.flags, given.restorer, to_set(given.mask)};
  }
  FL_TRY_ASSIGN(const SignalAction old, change_action(kernel, task, args.s(0), action));
  if (args[2] != 0) {
    FL_TRY(user.put(args.ptr(2), KernelSigaction{old.handler, old.flags, old.restorer, to_words(old.mask)}));
  }
  return 0;
}

Result<uint32_t> sys_sigaction(Kernel& kernel, Task& task, const SyscallArgs& args) {
  vm::UserAccess user = task.user();
  std::optional<SignalAction> action;
  if (args[1] != 0) {
    FL_TRY_ASSIGN(const auto given, user.get<OldSigaction>(args.ptr(1)));
    action = SignalAction{given.handler, given.flags, given.restorer, SignalSet(given.mask)};
  }
  FL_TRY_ASSIGN(const SignalAction old, change_action(kernel, task, args.s(0), action));
  if (args[2] != 0) {
    FL_TRY(user.put(args.ptr(2), OldSigaction{old.handler, to_words(old.mask)[0], old.flags, old.restorer}));
  }
  return 0;
}

Result<uint32_t> sys_signal(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const SignalAction action{args[1], SaFlag::kResetHand | SaFlag::kNoDefer, 0, SignalSet{}};
  FL_TRY_ASSIGN(const SignalAction old, change_action(kernel, task, args.s(0), action));
  return old.handler;
}

Result<uint32_t> sys_rt_sigprocmask(Kernel&, Task& task, const SyscallArgs& args) {
  if (args[3] != kSigsetSize) {
    return fail(Errno::kEINVAL);
  }
  vm::UserAccess user = task.user();
  const SignalSet old = task.blocked;
  if (args[1] != 0) {
    FL_TRY_ASSIGN(const auto words, (user.get<std::array<uint32_t, 2>>(args.ptr(1))));
    FL_TRY_ASSIGN(const SignalSet blocked, combine(args[0], old, to_set(words)));
    set_blocked(task, blocked);
  }
  if (args[2] != 0) {
    FL_TRY(user.put(args.ptr(2), to_words(old)));
  }
  return 0;
}

// Only signals 1-32. Linux: sys_sigprocmask.
Result<uint32_t> sys_sigprocmask(Kernel&, Task& task, const SyscallArgs& args) {
  vm::UserAccess user = task.user();
  const SignalSet old = task.blocked;
  if (args[1] != 0) {
    FL_TRY_ASSIGN(const auto word, user.get<uint32_t>(args.ptr(1)));
    constexpr uint32_t kSetMask = 2;
    const SignalSet given(args[0] == kSetMask ? (old.bits() & ~uint64_t{UINT32_MAX}) | word : uint64_t{word});
    FL_TRY_ASSIGN(const SignalSet blocked, combine(args[0], old, given));
    set_blocked(task, blocked);
  }
  if (args[2] != 0) {
    FL_TRY(user.put(args.ptr(2), to_words(old)[0]));
  }
  return 0;
}

Result<uint32_t> sys_sgetmask(Kernel&, Task& task, const SyscallArgs&) { return to_words(task.blocked)[0]; }
Result<uint32_t> sys_ssetmask(Kernel&, Task& task, const SyscallArgs& args) {
  const uint32_t old = to_words(task.blocked)[0];
  set_blocked(task, SignalSet(args[0]));
  return old;
}

Result<uint32_t> sys_rt_sigpending(Kernel&, Task& task, const SyscallArgs& args) {
  if (args[1] > kSigsetSize) {
    return fail(Errno::kEINVAL);
  }
  const auto words = to_words(pending_set(task) & task.blocked);
  FL_TRY(task.user().write(args.ptr(0), std::as_bytes(std::span(words)).first(args[1])));
  return 0;
}

Result<uint32_t> sys_sigpending(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY(task.user().put(args.ptr(0), to_words(pending_set(task) & task.blocked)[0]));
  return 0;
}

Result<uint32_t> sys_rt_sigsuspend(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (!task.wait.resumed) {
    if (args[1] != kSigsetSize) {
      return fail(Errno::kEINVAL);
    }
    FL_TRY_ASSIGN(const auto words, (task.user().get<std::array<uint32_t, 2>>(args.ptr(0))));
    set_temporary_mask(task, to_set(words));
  }
  return wait_for_signal(kernel, task, "sigsuspend");
}

Result<uint32_t> sys_sigsuspend(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (!task.wait.resumed) {
    set_temporary_mask(task, SignalSet(args[2]));
  }
  return wait_for_signal(kernel, task, "sigsuspend");
}

Result<uint32_t> sys_pause(Kernel& kernel, Task& task, const SyscallArgs&) {
  return wait_for_signal(kernel, task, "pause");
}

Result<uint32_t> sys_sigaltstack(Kernel&, Task& task, const SyscallArgs& args) {
  vm::UserAccess user = task.user();
  const AltStack old = task.alt_stack;
  if (args[0] != 0) {
    FL_TRY_ASSIGN(const auto stack, user.get<StackT32>(args.ptr(0)));
    FL_TRY(set_alt_stack(task, stack));
  }
  if (args[1] != 0) {
    uint32_t flags = old.flags & AltStack::kAutoDisarm;
    if (old.size == 0) {
      flags |= AltStack::kDisable;
    } else if (on_alt_stack(old, task.regs.esp)) {
      flags |= AltStack::kOnStack;
    }
    FL_TRY(user.put(args.ptr(1), StackT32{old.sp, flags, old.size}));
  }
  return 0;
}

Result<uint32_t> sys_sigreturn(Kernel& kernel, Task& task, const SyscallArgs&) {
  if (!pop_signal_frame(kernel, task)) {
    force_signal(kernel, task, Signal::kSegv);
    return 0;
  }
  return fail(kRegistersReplaced);
}

Result<uint32_t> sys_rt_sigreturn(Kernel& kernel, Task& task, const SyscallArgs&) {
  if (!pop_rt_signal_frame(kernel, task)) {
    force_signal(kernel, task, Signal::kSegv);
    return 0;
  }
  return fail(kRegistersReplaced);
}

Result<uint32_t> sys_kill(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const int32_t pid = args.s(0);
  const int signal = args.s(1);
  if (signal != 0 && !valid_signal(signal)) {
    return fail(Errno::kEINVAL);
  }
  // A number that names no process is that of a thread: its process gets the signal.
  Task* const thread = pid > 0 ? kernel.find_task(args[0]) : nullptr;
  bool found = false, sent = false;
  for (Task& target : kernel.tasks()) {
    if (!addressed(task, target, pid) && !(thread != nullptr && target.is_leader() && target.group == thread->group)) {
      continue;
    }
    found = true;
    if (!may_signal(task, target, signal)) {
      continue;
    }
    sent = true;
    if (signal != 0) {
      const SignalInfo info{.signal = signal, .code = SiCode::kUser, .pid = task.tgid, .uid = task.cred.uid};
      FL_TRY(send_signal(kernel, *target.group, info));
    }
  }
  if (!found) {
    return fail(Errno::kESRCH);
  }
  return sent ? Result<uint32_t>(0) : fail(Errno::kEPERM);
}

Result<uint32_t> sys_tkill(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args.s(0) <= 0) {
    return fail(Errno::kEINVAL);
  }
  return send_to_thread(kernel, task, 0, args[0], args.s(1));
}

Result<uint32_t> sys_tgkill(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args.s(0) <= 0 || args.s(1) <= 0) {
    return fail(Errno::kEINVAL);
  }
  return send_to_thread(kernel, task, args[0], args[1], args.s(2));
}

}  // namespace fl::guest
