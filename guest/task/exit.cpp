// The end of tasks and processes: what is given back in which order, who is told, and stops, which end by going on.
// Linux counterparts: kernel/exit.c (do_exit, exit_notify, forget_original_parent, release_task), mm_release,
// do_notify_parent, do_signal_stop.
//
// A task is ended by whoever decides it, at once, even if it sleeps; nothing of it runs any more. Its Task is freed
// later (graveyard_), because the kernel may still be working for it further up the stack. Simplified: the children of
// a thread are those of its process, so PR_SET_PDEATHSIG means the end of the parent process.
#include <algorithm>

#include "guest/fs/fd_table.hpp"
#include "guest/fs/fs_context.hpp"
#include "guest/fs/open_file.hpp"
#include "guest/ipc/ipc.hpp"
#include "guest/kernel.hpp"
#include "guest/signal/send.hpp"
#include "guest/task/process_group.hpp"
#include "guest/task/robust_list.hpp"
#include "guest/task/wait_status.hpp"

namespace fl::guest {
namespace {

constexpr uint64_t kNsPerUserTick = 10'000'000;  // USER_HZ

// What SIGCHLD and waitid say of an end. Linux: do_notify_parent.
SignalInfo child_info(const ThreadGroup& group) {
  const ChildEnd end = child_end(group.exit_status);
  return {.signal = Signal::kChld,
          .code = end.code,
          .pid = group.tgid,
          .uid = group.leader->cred.uid,
          .status = end.status,
          .utime = static_cast<uint32_t>(group.dead_threads.cpu_ns / kNsPerUserTick)};
}

// Nobody will wait: the zombie is not kept.
bool ignores_children(const ThreadGroup& parent) {
  const SignalAction& action = (*parent.leader->handlers)[Signal::kChld];
  return action.handler == kSigIgn || (action.flags & SaFlag::kNoCldWait) != 0;
}

}  // namespace

void ResourceUse::add(const ResourceUse& other) {
  cpu_ns += other.cpu_ns;
  minor_faults += other.minor_faults;
  major_faults += other.major_faults;
  voluntary_switches += other.voluntary_switches;
  involuntary_switches += other.involuntary_switches;
  max_rss_kb = std::max(max_rss_kb, other.max_rss_kb);
}

ResourceUse Kernel::resource_use(const Task& task) const {
  return {.cpu_ns = cpu_time(task),
          .minor_faults = task.faults.minor,
          .major_faults = task.faults.major,
          .voluntary_switches = task.voluntary_switches,
          .involuntary_switches = task.involuntary_switches,
          .max_rss_kb = task.mm != nullptr ? uint64_t{task.mm->use().hiwater_rss} * (kPageSize / 1024) : 0};
}

ResourceUse Kernel::resource_use(const ThreadGroup& group) const {
  ResourceUse use = group.dead_threads;
  for (const ThreadLink& link : group.threads) {
    if (link.task.alive()) {
      use.add(resource_use(link.task));
    }
  }
  return use;
}

// Linux: exec_mm_release, exit_mm_release.
void Kernel::release_mm(Task& task) {
  const ActFor acting(*this, task);
  exit_robust_list(*this, task);
  exit_pi_locks(*this, task);
  // Only if somebody is left who can see it.
  if (task.clear_child_tid != 0 && task.mm.use_count() > 1) {
    const VirtAddr at(task.clear_child_tid);
    if (task.user().put(at, uint32_t{0})) {
      static_cast<void>(futex_wake(*this, task, at, FutexScope::kShared, 1, kFutexMatchAny));
    }
  }
  task.clear_child_tid = 0;
  if (Task* const parent = task.vfork_parent != 0 ? find_task(task.vfork_parent) : nullptr; parent != nullptr) {
    parent->wait.satisfied = true;
    wake(*parent);
  }
  task.vfork_parent = 0;
}

void Kernel::exit_task(Task& task, uint32_t status) {
  if (!task.alive()) {
    return;
  }
  ThreadGroup& group = *task.group;
  release_mm(task);
  task.exit_status = group.exiting ? group.exit_status : status;
  if (&task == group.leader && !group.exiting) {
    group.exit_status = status;
  }
  group.dead_threads.add(resource_use(task));
  scheduler_.dequeue(task);
  leave_queues(task);
  task.state = Task::State::kZombie;
  if (ports_.observer != nullptr) {
    const ActFor acting(*this, task);
    ports_.observer->on_exit(task);
  }
  discard_signals(*this, task.pending, kAllSignals);
  task.wait = Wait{};
  task.held_pages.clear();
  {
    const ActFor acting(*this, task);  // whoever ends it: segments note who detached
    task.mm.reset();
  }
  ipc_->sysv.exit(task);
  task.program.reset();
  task.running.reset();
  task.files.reset();
  task.fs.reset();
  --group.live_threads;
  --user_use(task.charged_uid).tasks;
  if (group.live_threads == 0) {
    group_ended(group);
  } else if (!task.is_leader()) {
    bury(task);
  }
}

void Kernel::exit_group(Task& task, uint32_t status) {
  const std::shared_ptr<ThreadGroup> group = task.group;
  if (!group->exiting) {
    group->exiting = true;
    group->exit_status = status;
  }
  end_other_threads(task);
  exit_task(task, status);
}

// Linux: zap_other_threads, de_thread.
void Kernel::end_other_threads(Task& task) {
  const std::shared_ptr<ThreadGroup> group = task.group;
  for (auto link = group->threads.begin(); link != group->threads.end();) {
    Task& other = link->task;
    ++link;
    if (&other != &task) {
      exit_task(other, group->exit_status);
    }
  }
}

void Kernel::group_ended(ThreadGroup& group) {
  const std::shared_ptr<ThreadGroup> keep = group.leader->group;
  group.real_timer.cancel();
  delete_posix_timers(*this, group);
  discard_signals(*this, group.pending, kAllSignals);
  give_children_away(group);
  for (auto link = group.threads.begin(); link != group.threads.end();) {
    Task& thread = link->task;
    ++link;
    if (!thread.is_leader()) {
      bury(thread);
    }
  }
  hang_up_if_orphaned(*this, group, group.parent, &group);
  notify_parent(group);
}

// The nearest ancestor that wants orphans and lives, or the world outside. Linux: find_new_reaper.
ThreadGroup* Kernel::new_parent(const ThreadGroup& group) {
  ThreadGroup* ancestor = group.parent;
  while (ancestor != nullptr && !(ancestor->child_subreaper && ancestor->live_threads > 0)) {
    ancestor = ancestor->parent;
  }
  return ancestor;
}

// Linux: forget_original_parent.
void Kernel::give_children_away(ThreadGroup& group) {
  ThreadGroup* const parent = new_parent(group);
  while (!group.children.empty()) {
    ThreadGroup& child = group.children.front();
    group.children.pop_front();
    child.parent = parent;
    if (parent != nullptr) {
      parent->children.push_back(child);
      child.exit_signal = Signal::kChld;
    }
    if (child.live_threads == 0) {
      hang_up_if_orphaned(*this, child, &group, nullptr);
      notify_parent(child);
      continue;
    }
    for (ThreadLink& link : child.threads) {
      if (const auto signal = static_cast<int>(link.task.parent_death_signal); signal != 0 && link.task.alive()) {
        const SignalInfo info{
            .signal = signal, .code = SiCode::kUser, .pid = group.tgid, .uid = group.leader->cred.uid};
        static_cast<void>(send_signal(*this, link.task, info, SignalTarget::kGroup));
      }
    }
    hang_up_if_orphaned(*this, child, &group, nullptr);
  }
}

void Kernel::notify_parent(ThreadGroup& group) {
  group.end.wake_all(PollEvent::kIn);
  ThreadGroup* const parent = group.parent;
  if (parent == nullptr) {
    reap(group);
    return;
  }
  const bool unwanted = group.exit_signal == Signal::kChld && ignores_children(*parent);
  // clone takes any number for the signal.
  if (valid_signal(group.exit_signal)) {
    SignalInfo info = child_info(group);
    info.signal = group.exit_signal;
    static_cast<void>(send_signal(*this, *parent, info));
  }
  parent->child_changed.wake_all();
  if (unwanted) {
    reap(group);
  }
}

void Kernel::reap(ThreadGroup& group) {
  group.reaped = true;
  if (group.parent != nullptr) {
    group.parent->children.erase(group.parent->children.iterator_to(group));
    group.parent = nullptr;
  }
  bury(*group.leader);
}

void Kernel::bury(Task& task) {
  tasks_.erase(tasks_.iterator_to(task));
  task.group->threads.erase(task.group->threads.iterator_to(task.thread_link));
  graveyard_.push_back(&task);
}

void Kernel::empty_graveyard() {
  for (Task* const task : graveyard_) {
    if (current_ == task) {
      current_ = nullptr;
    }
    caches_.task.destroy(task);
  }
  graveyard_.clear();
}

void Kernel::release_tasks() {
  timers_.cancel_all();
  while (!tasks_.empty()) {
    Task& task = *tasks_.begin();
    tasks_.erase(tasks_.begin());
    scheduler_.dequeue(task);
    leave_queues(task);
    discard_signals(*this, task.pending, kAllSignals);
    discard_signals(*this, task.group->pending, kAllSignals);
    delete_posix_timers(*this, *task.group);
    task.group->children.clear();
    task.group->threads.erase(task.group->threads.iterator_to(task.thread_link));
    graveyard_.push_back(&task);
  }
  current_ = nullptr;
  empty_graveyard();
  collect_unix_garbage(*ipc_);
  init_.reset();
  vdso_.reset();
}

void Kernel::empty_ipc() { ipc_->sysv.clear(); }

void Kernel::stop_group(ThreadGroup& group, int signal) {
  group.stop_signal = signal;
  group.stop_untold = true;
  group.continue_untold = false;
  for (ThreadLink& link : group.threads) {
    scheduler_.dequeue(link.task);
    link.task.work_pending = true;
  }
  reschedule_ = true;
  tell_parent_of_stop(group, SiCode::kChldStopped, signal);
}

void Kernel::continue_group(ThreadGroup& group) {
  if (group.stop_signal == 0) {
    return;
  }
  group.stop_signal = 0;
  group.stop_untold = false;
  group.continue_untold = true;
  for (ThreadLink& link : group.threads) {
    if (link.task.runnable()) {
      scheduler_.enqueue(link.task);
    }
  }
  tell_parent_of_stop(group, SiCode::kChldContinued, Signal::kCont);
}

// Linux: do_notify_parent_cldstop.
void Kernel::tell_parent_of_stop(ThreadGroup& group, int32_t code, int status) {
  if (group.parent == nullptr) {
    return;
  }
  const SignalAction& action = (*group.parent->leader->handlers)[Signal::kChld];
  if (action.handler != kSigIgn && (action.flags & SaFlag::kNoCldStop) == 0) {
    const SignalInfo info{
        .signal = Signal::kChld, .code = code, .pid = group.tgid, .uid = group.leader->cred.uid, .status = status};
    static_cast<void>(send_signal(*this, *group.parent, info));
  }
  group.parent->child_changed.wake_all();
}

}  // namespace fl::guest
