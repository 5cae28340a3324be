// send_signal, force_signal and the queues. See send.hpp.
#include "guest/signal/send.hpp"

#include <algorithm>
#include <bit>

namespace fl::guest {
namespace {

constexpr uint64_t bit(int signal) { return uint64_t{1} << (signal - 1); }
constexpr SignalSet kStopSignals{bit(Signal::kStop) | bit(Signal::kTstp) | bit(Signal::kTtin) | bit(Signal::kTtou)};
constexpr SignalSet kContinueSignal{bit(Signal::kCont)};
// Linux: SYNCHRONOUS_MASK.
constexpr SignalSet kSynchronous{bit(Signal::kSegv) | bit(Signal::kBus) | bit(Signal::kIll) | bit(Signal::kTrap) |
                                 bit(Signal::kFpe) | bit(Signal::kSys)};

bool ignored_by_default(int signal) {
  const DefaultAction action = default_action(signal);
  return action == DefaultAction::kIgnore || action == DefaultAction::kContinue;
}

bool ignored(const Task& task, int signal) {
  // A blocked signal is kept: its action may be another one when it is unblocked.
  if (task.blocked.has(signal) || (task.real_blocked && task.real_blocked->has(signal))) {
    return false;
  }
  const uint32_t handler = (*task.handlers)[signal].handler;
  return handler == kSigIgn || (handler == kSigDfl && ignored_by_default(signal));
}

// A stop signal cancels a pending SIGCONT and the other way round. Linux: prepare_signal.
void cancel_opposites(Kernel& kernel, Task& task, int signal) {
  const SignalSet opposites = kStopSignals.has(signal)      ? kContinueSignal
                              : kContinueSignal.has(signal) ? kStopSignals
                                                            : SignalSet{};
  if (opposites.empty()) {
    return;
  }
  discard_signals(task.group->pending, opposites);
  for (const auto& other : kernel.tasks()) {
    if (other->group == task.group) {
      discard_signals(other->pending, opposites);
      if (signal == Signal::kCont && other->state == Task::State::kStopped) {
        kernel.wake(*other);
      }
    }
  }
}

void enqueue(PendingSignals& pending, const SignalInfo& info) {
  if (info.signal < Signal::kRtMin && pending.set.has(info.signal)) {
    return;  // the classic signals are not counted
  }
  pending.set.add(info.signal);
  pending.queue.push_back(info);
}

bool wants(const Task& task, int signal) { return task.alive() && !task.blocked.has(signal); }

void notify(Kernel& kernel, Task& task, int signal) {
  task.work_pending = true;
  if (task.state == Task::State::kSleeping || (task.state == Task::State::kStopped && signal == Signal::kKill)) {
    kernel.wake(task);
  }
}

void reset_to_default(Task& task, int signal) {
  (*task.handlers)[signal].handler = kSigDfl;
  task.blocked.remove(signal);
}

SignalInfo take(PendingSignals& pending, int signal) {
  const auto found = std::find_if(pending.queue.begin(), pending.queue.end(),
                                  [&](const SignalInfo& info) { return info.signal == signal; });
  const SignalInfo info = *found;
  pending.queue.erase(found);
  if (std::none_of(pending.queue.begin(), pending.queue.end(),
                   [&](const SignalInfo& other) { return other.signal == signal; })) {
    pending.set.remove(signal);
  }
  return info;
}

int next_signal(const PendingSignals& pending, SignalSet blocked) {
  const SignalSet ready = pending.set & ~blocked;
  const SignalSet synchronous = ready & kSynchronous;
  const uint64_t bits = synchronous.empty() ? ready.bits() : synchronous.bits();
  return bits == 0 ? 0 : std::countr_zero(bits) + 1;
}

}  // namespace

void discard_signals(PendingSignals& pending, SignalSet set) {
  if ((pending.set & set).empty()) {
    return;
  }
  pending.set = pending.set & ~set;
  std::erase_if(pending.queue, [&](const SignalInfo& info) { return set.has(info.signal); });
}

void send_signal(Kernel& kernel, Task& task, const SignalInfo& info, SignalTarget target) {
  cancel_opposites(kernel, task, info.signal);
  if (ignored(task, info.signal)) {
    return;
  }
  if (target == SignalTarget::kTask) {
    enqueue(task.pending, info);
    if (wants(task, info.signal)) {
      notify(kernel, task, info.signal);
    }
    return;
  }
  enqueue(task.group->pending, info);
  if (wants(task, info.signal)) {
    notify(kernel, task, info.signal);
    return;
  }
  for (const auto& other : kernel.tasks()) {
    if (other->group == task.group && wants(*other, info.signal)) {
      notify(kernel, *other, info.signal);
      return;
    }
  }
}

void force_signal(Kernel& kernel, Task& task, const SignalInfo& info) {
  if (task.blocked.has(info.signal) || (*task.handlers)[info.signal].handler == kSigIgn) {
    reset_to_default(task, info.signal);
  }
  enqueue(task.pending, info);
  notify(kernel, task, info.signal);
}

void force_signal(Kernel& kernel, Task& task, int signal) {
  force_signal(kernel, task, SignalInfo{.signal = signal, .code = SiCode::kKernel});
}

void force_segv(Kernel& kernel, Task& task, int failed) {
  if (failed == Signal::kSegv) {
    reset_to_default(task, Signal::kSegv);
  }
  force_signal(kernel, task, Signal::kSegv);
}

void set_blocked(Task& task, SignalSet blocked) {
  task.blocked = blocked.blockable();
  recalc_pending(task);
}

void set_temporary_mask(Task& task, SignalSet mask) {
  task.saved_mask = task.blocked;
  task.work_pending = true;
  set_blocked(task, mask);
}

SignalInfo dequeue_signal(Task& task, SignalSet blocked) {
  // A fault's signal goes first even if one of a lower number was sent. Linux: dequeue_synchronous_signal.
  for (const SignalInfo& info : task.pending.queue) {
    if (info.code > SiCode::kUser && kSynchronous.has(info.signal) && !blocked.has(info.signal)) {
      return take(task.pending, info.signal);
    }
  }
  if (const int signal = next_signal(task.pending, blocked); signal != 0) {
    return take(task.pending, signal);
  }
  if (const int signal = next_signal(task.group->pending, blocked); signal != 0) {
    return take(task.group->pending, signal);
  }
  return {};
}

}  // namespace fl::guest
