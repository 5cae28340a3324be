// Sending signals: queueing them on a task or its group, and forcing those that a fault causes.
// Linux counterparts: kernel/signal.c (send_signal_locked, prepare_signal, complete_signal, force_sig_info_to_task).
//
// Simplified: no ptrace.
#pragma once

#include "guest/kernel.hpp"
#include "guest/signal/signal.hpp"
#include "guest/task.hpp"

namespace fl::guest {

enum class SignalTarget : uint8_t { kTask, kGroup };

// Whether kill and its like may send this signal. Linux: kill_ok_by_cred.
bool may_signal(const Task& sender, const Task& target, int signal);
// Queues a signal unless it would be ignored, and wakes a task that can take it. The permission to send was checked.
// EAGAIN: it carries a value and the user has no room for another (RLIMIT_SIGPENDING, or memory); other signals lose
// what came with them. A zombie takes any signal, and nothing comes of it. Linux: send_signal_locked.
Status send_signal(Kernel& kernel, Task& task, const SignalInfo& info, SignalTarget target);
// The signal of a timer, which is queued whatever else waits: its place was counted when the timer was made. False: it
// is ignored. Linux: send_sigqueue.
bool send_timer_signal(Kernel& kernel, Task& task, const SignalInfo& info, SignalTarget target);
// Signals of a timer that is set anew or gone are not delivered (Linux since 6.13).
void discard_timer_signals(Kernel& kernel, ThreadGroup& group, uint32_t timer_id);
// To a process.
Status send_signal(Kernel& kernel, ThreadGroup& group, const SignalInfo& info);
// A signal that cannot be put off: if it is blocked or ignored, its action becomes SIG_DFL, which ends the task.
void force_signal(Kernel& kernel, Task& task, const SignalInfo& info);
// As above with SI_KERNEL, for faults that have no better code. Linux: force_sig.
void force_signal(Kernel& kernel, Task& task, int signal);
// The action of SIGSEGV becomes SIG_DFL first if `failed` (the signal whose frame could not be made) is SIGSEGV.
// Linux: force_sigsegv.
void force_segv(Kernel& kernel, Task& task, int failed);

// Signals that wait for the task, blocked or not.
inline SignalSet pending_set(const Task& task) { return task.pending.set | task.group->pending.set; }
// A signal could be delivered now: a sleeping call must end with EINTR or one of the restart answers.
inline bool signal_pending(const Task& task) { return !(pending_set(task) & ~task.blocked).empty(); }
// SIGKILL waits: nothing keeps the task from ending. Linux: fatal_signal_pending.
inline bool kill_pending(const Task& task) { return pending_set(task).has(Signal::kKill); }
inline bool sleep_ends_by_signal(const Task& task) {
  return task.wait.kind == SleepKind::kInterruptible ? signal_pending(task) : kill_pending(task);
}
// Must follow every change of task.blocked. Linux: recalc_sigpending.
inline void recalc_pending(Task& task) { task.work_pending = task.work_pending || signal_pending(task); }
// The new mask, without SIGKILL and SIGSTOP. Linux: set_current_blocked.
void set_blocked(Task& task, SignalSet blocked);
// Until the next signal handler has run or the call has ended without one, `mask` is blocked. Linux: set_user_sigmask.
void set_temporary_mask(Task& task, SignalSet mask);

// Takes the next deliverable signal off the queues; signal 0: none. Synchronous ones come first. Linux: dequeue_signal.
SignalInfo dequeue_signal(Task& task, SignalSet blocked);
// Drops all pending instances of the signals of `set`. Linux: flush_sigqueue_mask.
void discard_signals(Kernel& kernel, PendingSignals& pending, SignalSet set);
inline constexpr SignalSet kAllSignals{~uint64_t{0}};

}  // namespace fl::guest
