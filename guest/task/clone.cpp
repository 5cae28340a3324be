// A new task: what it shares with its maker, what it copies, and its first steps. Linux counterpart: copy_process,
// kernel_clone (kernel/fork.c), copy_thread, schedule_tail, sched_fork.
//
// Everything that can fail is done before anybody can see the task. Simplified: no namespaces, control groups, pidfds
// of threads; a task takes no kernel stack.
#include <algorithm>

#include "guest/fs/fd_table.hpp"
#include "guest/fs/fs_context.hpp"
#include "guest/fs/pidfd.hpp"
#include "guest/ipc/ipc.hpp"
#include "guest/kernel.hpp"
#include "guest/process/rseq.hpp"
#include "guest/process/tls.hpp"
#include "guest/signal/send.hpp"

namespace fl::guest {
namespace {

// Linux: pid_max, and the first number after it was reached (RESERVED_PIDS).
constexpr uint32_t kMaxPid = 32768;
constexpr uint32_t kFirstFreePid = 300;
// Most tasks of the machine. Linux: max_threads, by the size of RAM; here by what one pid space holds.
constexpr size_t kMaxTasks = 30000;

bool has(uint64_t flags, uint64_t bits) { return (flags & bits) != 0; }

// What can be known to be wrong from the flags alone. Linux: the first checks of copy_process.
Status check_flags(const Task& parent, uint64_t flags) {
  const bool contradicts = (has(flags, CloneFlag::kThread) && !has(flags, CloneFlag::kSigHand)) ||
                           (has(flags, CloneFlag::kSigHand) && !has(flags, CloneFlag::kVm)) ||
                           (has(flags, CloneFlag::kSigHand) && has(flags, CloneFlag::kClearSigHand)) ||
                           (has(flags, CloneFlag::kParent) && parent.group->parent == nullptr) ||
                           (has(flags, CloneFlag::kPidfd) && has(flags, CloneFlag::kDetached | CloneFlag::kThread));
  // A kernel without namespaces does not know these.
  return contradicts || has(flags, CloneFlag::kNamespaces) ? Status(fail(Errno::kEINVAL)) : Status();
}

void copy_state(Task& child, Task& parent) {
  child.comm = parent.comm;
  child.regs = parent.regs;
  child.regs.eax = 0;
  child.fpu = parent.fpu;
  child.tls = parent.tls;
  child.cred = parent.cred;
  child.policy = parent.policy;
  child.program = parent.program;
  child.running = parent.running;
  child.blocked = parent.blocked;
  child.alt_stack = parent.alt_stack;
  child.personality = parent.personality;
  child.nice = parent.nice;
  child.sched_policy = parent.sched_policy;
  child.sched_priority = parent.sched_priority;
}

}  // namespace

Result<uint32_t> Kernel::free_tid() {
  for (uint32_t tries = 0; tries < kMaxPid; ++tries) {
    const uint32_t tid = next_pid_;
    next_pid_ = next_pid_ + 1 < kMaxPid ? next_pid_ + 1 : kFirstFreePid;
    // Numbers of process groups and sessions are in use as long as somebody is in them.
    const bool used = std::any_of(tasks_.begin(), tasks_.end(), [tid](const Task& task) {
      return task.tid == tid || task.group->pgid == tid || task.group->sid == tid;
    });
    if (!used) {
      return tid;
    }
  }
  return fail(Errno::kEAGAIN);
}

Status Kernel::share_or_copy(Task& child, Task& parent, uint64_t flags) {
  // Linux: copy_semundo.
  if (has(flags, CloneFlag::kSysVSem)) {
    FL_TRY_ASSIGN(child.sem_undo, ipc_->sysv.sem.undo_list(parent));
  }
  if (has(flags, CloneFlag::kFiles)) {
    child.files = parent.files;
  } else {
    FL_TRY_ASSIGN(child.files, parent.files->clone());
  }
  if (has(flags, CloneFlag::kFs)) {
    child.fs = parent.fs;
  } else {
    FL_TRY_ASSIGN(child.fs, parent.fs->clone());
  }
  if (has(flags, CloneFlag::kSigHand)) {
    child.handlers = parent.handlers;
  } else {
    FL_TRY_ASSIGN(child.handlers, vm::make_shared_object(caches_.handlers, *parent.handlers));
    if (has(flags, CloneFlag::kClearSigHand)) {
      child.handlers->flush();
    }
  }
  if (has(flags, CloneFlag::kThread)) {
    child.group = parent.group;
  } else {
    FL_TRY_ASSIGN(child.group, vm::make_shared_object(caches_.group, *this, child.tid));
    ThreadGroup& group = *child.group;
    const ThreadGroup& from = *parent.group;
    group.pgid = from.pgid;
    group.sid = from.sid;
    group.limits = from.limits;
    group.dumpable = from.dumpable;
    group.no_new_privs = from.no_new_privs;
    group.oom_score_adj = from.oom_score_adj;
    group.oom_score_adj_min = from.oom_score_adj_min;
    group.leader = &child;
  }
  if (has(flags, CloneFlag::kVm)) {
    child.mm = parent.mm;
  } else {
    FL_TRY_ASSIGN(child.mm, parent.mm->fork());
  }
  return {};
}

void Kernel::add_task(Task& task) {
  tasks_.insert(task);
  task.group->threads.push_back(task.thread_link);
  ++task.group->live_threads;
  task.charged_uid = task.cred.uid;
  ++user_use(task.charged_uid).tasks;
  task.start_ns = ports_.time.now_ns();
}

Result<Task*> Kernel::clone(Task& parent, const CloneRequest& request) {
  const uint64_t flags = request.flags;
  FL_TRY(check_flags(parent, flags));
  // A signal that waits is handled first, so that a process does not escape a kill by forking. Linux:
  // -ERESTARTNOINTR in copy_process.
  if (signal_pending(parent)) {
    return fail(kRestartNoIntr);
  }
  const bool unlimited = parent.cred.euid == 0 || parent.cred.uid == 0;
  if ((user_use(parent.cred.uid).tasks >= parent.group->limits[Rlimit::kNproc].current && !unlimited) ||
      tasks_.size() >= kMaxTasks) {
    return fail(Errno::kEAGAIN);
  }
  FL_TRY_ASSIGN(auto made, caches_.task.make(*this));
  Task& child = *made;
  FL_TRY_ASSIGN(child.tid, free_tid());
  child.tgid = has(flags, CloneFlag::kThread) ? parent.tgid : child.tid;
  parent.fpu = ports_.fpu.save();
  copy_state(child, parent);
  FL_TRY(share_or_copy(child, parent, flags));
  if (request.stack != 0) {
    child.regs.esp = request.stack;
  }
  if (has(flags, CloneFlag::kSetTls)) {
    FL_TRY(set_thread_area(*this, parent.user(), request.tls, child.tls, AnyTlsEntry::kRefuse));
  }
  if ((flags & (CloneFlag::kVm | CloneFlag::kVfork)) == CloneFlag::kVm) {
    child.alt_stack = AltStack{};
  }
  child.set_child_tid = has(flags, CloneFlag::kChildSetTid) ? request.child_tid.value() : 0;
  child.clear_child_tid = has(flags, CloneFlag::kChildClearTid) ? request.child_tid.value() : 0;
  if (!has(flags, CloneFlag::kVm)) {
    // Linux: rseq_fork. The child is given a processor, which its memory does not say yet (rseq_migrate).
    child.rseq = parent.rseq;
    child.rseq_length = parent.rseq_length;
    child.rseq_signature = parent.rseq_signature;
    rseq_preempted(child);
  }

  if (has(flags, CloneFlag::kPidfd)) {
    FL_TRY_ASSIGN(const uint32_t fd, open_pidfd(*this, parent, child.group, 0));
    if (const Status told = parent.user().put(request.pidfd, fd); !told) {
      static_cast<void>(parent.files->close(fd));
      return fail(told.error());
    }
  }

  // Nothing fails any more.
  if (!has(flags, CloneFlag::kThread)) {
    ThreadGroup& group = *child.group;
    const bool sibling = has(flags, CloneFlag::kParent);
    group.exit_signal = sibling ? parent.group->exit_signal : request.exit_signal;
    group.parent = sibling ? parent.group->parent : parent.group.get();
    group.parent->children.push_back(group);
  }
  if (has(flags, CloneFlag::kVfork)) {
    child.vfork_parent = parent.tid;
  }
  child.state = Task::State::kNew;
  made.release();
  add_task(child);
  if (ports_.observer != nullptr) {
    ports_.observer->on_clone(parent, child);
  }
  if (has(flags, CloneFlag::kParentSetTid)) {
    // That it cannot be stored is nobody's error.
    static_cast<void>(parent.user().put(request.parent_tid, child.tid));
  }
  scheduler_.enqueue(child);
  return &child;
}

void Kernel::begin_task(Task& task) {
  if (task.set_child_tid != 0) {
    static_cast<void>(task.user().put(VirtAddr(task.set_child_tid), task.tid));
  }
}

}  // namespace fl::guest
