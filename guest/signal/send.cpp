// send_signal, force_signal and the queues. See send.hpp.
#include "guest/signal/send.hpp"

#include <algorithm>
#include <bit>

#include "guest/fs/open_file.hpp"

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

// A stop signal cancels a pending SIGCONT and the other way round; SIGCONT lets the process go on even if it is blocked
// or ignored. Linux: prepare_signal.
void cancel_opposites(Kernel& kernel, ThreadGroup& group, int signal) {
  const SignalSet opposites = kStopSignals.has(signal)      ? kContinueSignal
                              : kContinueSignal.has(signal) ? kStopSignals
                                                            : SignalSet{};
  if (!opposites.empty()) {
    discard_signals(kernel, group.pending, opposites);
    for (ThreadLink& link : group.threads) {
      discard_signals(kernel, link.task.pending, opposites);
    }
  }
  if (signal == Signal::kCont || signal == Signal::kKill) {
    kernel.continue_group(group);
  }
}

// Where the kernel counts what waits for a user's processes. Linux: __sigqueue_alloc.
QueuedSignal* make_queued(Kernel& kernel, const Task& task, const SignalInfo& info) {
  const uint64_t limit = task.group->limits[Rlimit::kSigPending].current;
  uint32_t& used = kernel.user_use(task.cred.uid).signals;
  // Classic signals of the kernel and of kill are queued beyond the limit.
  const bool over_limit = (info.signal < Signal::kRtMin && info.code >= SiCode::kUser) || info.code == SiCode::kTimer;
  if (used >= limit && !over_limit) {
    return nullptr;
  }
  const auto queued = kernel.caches().queued_signal.create(info, task.cred.uid);
  if (!queued) {
    return nullptr;
  }
  ++used;
  return *queued;
}

void free_queued(Kernel& kernel, QueuedSignal* queued) {
  --kernel.user_use(queued->owner).signals;
  kernel.caches().queued_signal.destroy(queued);
}

// EAGAIN: see send_signal.
Status enqueue(Kernel& kernel, const Task& task, PendingSignals& pending, const SignalInfo& info) {
  if (info.signal < Signal::kRtMin && pending.set.has(info.signal) && info.code != SiCode::kTimer) {
    return {};  // the classic signals are not counted
  }
  // SIGKILL tells nothing.
  if (info.signal != Signal::kKill) {
    if (QueuedSignal* const queued = make_queued(kernel, task, info); queued != nullptr) {
      pending.queue.push_back(*queued);
    } else if (info.signal >= Signal::kRtMin && info.code != SiCode::kUser) {
      return fail(Errno::kEAGAIN);
    }
  }
  pending.set.add(info.signal);
  return {};
}

bool wants(const Task& task, int signal) { return task.alive() && !task.blocked.has(signal); }

void notify(Kernel& kernel, Task& task) {
  task.work_pending = true;
  if (task.state == Task::State::kSleeping && sleep_ends_by_signal(task)) {
    kernel.wake(task);
  }
}

void reset_to_default(Task& task, int signal) {
  (*task.handlers)[signal].handler = kSigDfl;
  task.blocked.remove(signal);
}

SignalInfo take(Kernel& kernel, PendingSignals& pending, int signal) {
  const auto is_it = [signal](const QueuedSignal& queued) { return queued.info.signal == signal; };
  const auto found = std::find_if(pending.queue.begin(), pending.queue.end(), is_it);
  if (found == pending.queue.end()) {
    pending.set.remove(signal);
    return SignalInfo{.signal = signal};  // what came with it could not be kept
  }
  QueuedSignal& queued = *found;
  const SignalInfo info = queued.info;
  const auto behind = pending.queue.erase(found);
  free_queued(kernel, &queued);
  if (std::none_of(behind, pending.queue.end(), is_it)) {
    pending.set.remove(signal);
  }
  return info;
}

SignalInfo taken(Task& task, PendingSignals& pending, int signal) {
  SignalInfo info = take(task.kernel, pending, signal);
  if (info.code == SiCode::kTimer) {
    posix_timer_delivered(task, info);
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

void discard_signals(Kernel& kernel, PendingSignals& pending, SignalSet set) {
  if ((pending.set & set).empty()) {
    return;
  }
  pending.set = pending.set & ~set;
  pending.queue.remove_and_dispose_if([set](const QueuedSignal& queued) { return set.has(queued.info.signal); },
                                      [&kernel](QueuedSignal* queued) { free_queued(kernel, queued); });
}

// Linux: kill_ok_by_cred.
bool may_signal(const Task& sender, const Task& target, int signal) {
  const Credentials& from = sender.cred;
  const Credentials& to = target.cred;
  return sender.group == target.group || from.euid == 0 || from.euid == to.suid || from.euid == to.uid ||
         from.uid == to.suid || from.uid == to.uid ||
         (signal == Signal::kCont && sender.group->sid == target.group->sid);
}

Status send_signal(Kernel& kernel, Task& task, const SignalInfo& info, SignalTarget target) {
  ThreadGroup& group = *task.group;
  if (!task.alive()) {
    return target == SignalTarget::kTask ? Status() : send_signal(kernel, group, info);
  }
  cancel_opposites(kernel, group, info.signal);
  if (ignored(task, info.signal)) {
    return {};
  }
  if (target == SignalTarget::kTask) {
    FL_TRY(enqueue(kernel, task, task.pending, info));
    group.signalled.wake_all(PollEvent::kIn);
    if (wants(task, info.signal)) {
      notify(kernel, task);
    }
    return {};
  }
  FL_TRY(enqueue(kernel, task, group.pending, info));
  group.signalled.wake_all(PollEvent::kIn);
  if (info.signal == Signal::kKill) {
    // No thread gets back to its program: its memory may be gone already. Linux: complete_signal.
    for (ThreadLink& link : group.threads) {
      if (link.task.alive()) {
        notify(kernel, link.task);
      }
    }
    return {};
  }
  if (wants(task, info.signal)) {
    notify(kernel, task);
    return {};
  }
  for (ThreadLink& link : group.threads) {
    if (wants(link.task, info.signal)) {
      notify(kernel, link.task);
      break;
    }
  }
  return {};
}

bool send_timer_signal(Kernel& kernel, Task& task, const SignalInfo& info, SignalTarget target) {
  return !ignored(task, info.signal) && send_signal(kernel, task, info, target).has_value();
}

void discard_timer_signals(Kernel& kernel, ThreadGroup& group, uint32_t timer_id) {
  const auto discard = [&](PendingSignals& pending) {
    SignalSet left, gone;
    for (const QueuedSignal& queued : pending.queue) {
      const bool its = queued.info.code == SiCode::kTimer && queued.info.pid == timer_id;
      (its ? gone : left).add(queued.info.signal);
    }
    pending.queue.remove_and_dispose_if(
        [timer_id](const QueuedSignal& queued) {
          return queued.info.code == SiCode::kTimer && queued.info.pid == timer_id;
        },
        [&kernel](QueuedSignal* queued) { free_queued(kernel, queued); });
    pending.set = pending.set & ~(gone & ~left);
  };
  discard(group.pending);
  for (ThreadLink& link : group.threads) {
    discard(link.task.pending);
  }
}

Status send_signal(Kernel& kernel, ThreadGroup& group, const SignalInfo& info) {
  for (ThreadLink& link : group.threads) {
    if (link.task.alive()) {
      return send_signal(kernel, link.task, info, SignalTarget::kGroup);
    }
  }
  return {};
}

void force_signal(Kernel& kernel, Task& task, const SignalInfo& info) {
  if (task.blocked.has(info.signal) || (*task.handlers)[info.signal].handler == kSigIgn) {
    reset_to_default(task, info.signal);
  }
  static_cast<void>(enqueue(kernel, task, task.pending, info));
  notify(kernel, task);
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
  for (const QueuedSignal& queued : task.pending.queue) {
    const int signal = queued.info.signal;
    if (queued.info.code > SiCode::kUser && kSynchronous.has(signal) && !blocked.has(signal)) {
      return taken(task, task.pending, signal);
    }
  }
  if (const int signal = next_signal(task.pending, blocked); signal != 0) {
    return taken(task, task.pending, signal);
  }
  if (const int signal = next_signal(task.group->pending, blocked); signal != 0) {
    return taken(task, task.group->pending, signal);
  }
  return {};
}

}  // namespace fl::guest
