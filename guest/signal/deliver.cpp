// deliver_signals. See deliver.hpp.
#include "guest/signal/deliver.hpp"

#include "guest/log.hpp"
#include "guest/process/describe.hpp"
#include "guest/process/peek.hpp"
#include "guest/process/rseq.hpp"
#include "guest/signal/frame.hpp"
#include "guest/signal/send.hpp"
#include "guest/task/process_group.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kNrRestartSyscall = 0;
constexpr uint32_t kInt80Length = 2;

bool is_answer(uint32_t eax, Errno error) { return eax == 0u - static_cast<uint32_t>(error); }

// Back to the instruction that made the call, if it is one: a program may have jumped here with a made-up eip.
void run_call_again(Task& task, uint32_t number) {
  std::array<std::byte, kInt80Length> code{};
  const bool read = peek(*task.mm, VirtAddr(task.regs.eip - kInt80Length), code) == code.size();
  if (!read || code[0] != std::byte{0xcd} || code[1] != std::byte{0x80}) {
    task.regs.eax = 0u - static_cast<uint32_t>(Errno::kEINTR);
    return;
  }
  task.regs.eax = number;
  task.regs.eip -= kInt80Length;
}

void restart_before_handler(Task& task, const SignalAction& action) {
  if (!task.orig_eax) {
    return;
  }
  const uint32_t number = *task.orig_eax;
  task.orig_eax.reset();
  const uint32_t eax = task.regs.eax;
  const bool again =
      is_answer(eax, kRestartNoIntr) || (is_answer(eax, kRestartSys) && (action.flags & SaFlag::kRestart) != 0);
  if (again) {
    run_call_again(task, number);
  } else if (is_answer(eax, kRestartSys) || is_answer(eax, kRestartNoHand) || is_answer(eax, kRestartRestartBlock)) {
    task.regs.eax = 0u - static_cast<uint32_t>(Errno::kEINTR);
  }
}

void restart_without_handler(Task& task) {
  if (!task.orig_eax) {
    return;
  }
  const uint32_t number = *task.orig_eax;
  task.orig_eax.reset();
  const uint32_t eax = task.regs.eax;
  if (is_answer(eax, kRestartSys) || is_answer(eax, kRestartNoIntr) || is_answer(eax, kRestartNoHand)) {
    run_call_again(task, number);
  } else if (is_answer(eax, kRestartRestartBlock)) {
    run_call_again(task, kNrRestartSyscall);
  }
}

void run_handler(Kernel& kernel, Task& task, const SignalInfo& info, const SignalAction& action) {
  restart_before_handler(task, action);
  if (!rseq_before_signal(task)) {
    force_segv(kernel, task, info.signal);
    return;
  }
  const SignalSet old_mask = task.saved_mask.value_or(task.blocked);
  if (!push_signal_frame(kernel, task, info, action, old_mask)) {
    force_segv(kernel, task, info.signal);
    return;
  }
  task.saved_mask.reset();
  SignalSet blocked = task.blocked | action.mask;
  if ((action.flags & SaFlag::kNoDefer) == 0) {
    blocked.add(info.signal);
  }
  set_blocked(task, blocked);
  if ((task.alt_stack.flags & AltStack::kAutoDisarm) != 0) {
    task.alt_stack = AltStack{};
  }
}

void die(Kernel& kernel, Task& task, const SignalInfo& info) {
  if (default_action(info.signal) == DefaultAction::kCoreDump) {
    const auto log = logger("guest.signal");
    if (log->should_log(spdlog::level::info)) {
      log->info("{}[{}] killed by {} (code {}, address {:#010x})\n{}{}", task.comm, task.tid, signal_name(info.signal),
                info.code, info.addr.value(), describe_registers(task), describe_areas(*task.mm));
    }
  }
  kernel.exit_group(task, static_cast<uint32_t>(info.signal));
}

}  // namespace

void deliver_signals(Kernel& kernel, Task& task) {
  while (task.state == Task::State::kRunning && task.group->stop_signal == 0) {
    const SignalInfo info = dequeue_signal(task, task.blocked);
    if (info.signal == 0) {
      break;
    }
    SignalAction& slot = (*task.handlers)[info.signal];
    const SignalAction action = slot;
    if (action.handler == kSigIgn) {
      continue;
    }
    const DefaultAction by_default = default_action(info.signal);
    const bool has_handler = action.handler != kSigDfl;
    if (!has_handler && (by_default == DefaultAction::kIgnore || by_default == DefaultAction::kContinue)) {
      continue;
    }
    // Nobody could continue it.
    if (!has_handler && by_default == DefaultAction::kStop && info.signal != Signal::kStop &&
        is_orphaned_group(kernel, task.group->pgid)) {
      continue;
    }
    if (kernel.observer() != nullptr) {
      kernel.observer()->on_signal(task, info);
    }
    if (has_handler) {
      if ((action.flags & SaFlag::kResetHand) != 0) {
        slot.handler = kSigDfl;
      }
      run_handler(kernel, task, info, action);
    } else if (by_default == DefaultAction::kStop) {
      kernel.stop_group(*task.group, info.signal);
    } else {
      die(kernel, task, info);
    }
  }
  if (task.state != Task::State::kRunning || task.group->stop_signal != 0) {
    return;
  }
  restart_without_handler(task);
  if (task.saved_mask) {
    set_blocked(task, *task.saved_mask);
    task.saved_mask.reset();
  }
}

}  // namespace fl::guest
