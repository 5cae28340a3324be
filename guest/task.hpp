// Task: one thread of a guest program. Linux counterparts: task_struct, thread_struct.
//
// Owned by the Kernel, in the cache "task_struct". What clone() may share between tasks is behind a shared_ptr: mm
// (CLONE_VM), files (CLONE_FILES), fs (CLONE_FS), handlers (CLONE_SIGHAND), group (CLONE_THREAD), sem_undo.
#pragma once

#include <array>
#include <boost/intrusive/list_hook.hpp>
#include <boost/intrusive/set_hook.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "guest/cpu/registers.hpp"
#include "guest/ipc/futex_waiter.hpp"
#include "guest/ipc/sysv_waiters.hpp"
#include "guest/signal/signal.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task/restart_block.hpp"
#include "guest/task/thread_group.hpp"
#include "guest/task/wait_queue.hpp"
#include "guest/time/timer_queue.hpp"
#include "loaders/exec.hpp"
#include "mmu/base/addr.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/phys/mempolicy.hpp"
#include "vm/reclaim/held_pages.hpp"
#include "vm/user_access.hpp"

namespace fl::guest {

class FdTable;
class FsContext;
class Kernel;
class OpenFile;
struct RunningProgram;
struct SemUndoList;

// Supplementary groups: shared by the tasks that have the same, and not changed but replaced. Linux: struct group_info.
class GroupList {
 public:
  using Groups = std::vector<uint32_t>;
  std::span<const uint32_t> all() const {
    return groups_ != nullptr ? std::span<const uint32_t>(*groups_) : std::span<const uint32_t>();
  }
  auto begin() const { return all().begin(); }
  auto end() const { return all().end(); }
  size_t size() const { return all().size(); }
  template <typename It>
  void assign(It from, It to) {
    groups_ = std::make_shared<const Groups>(from, to);
  }

 private:
  std::shared_ptr<const Groups> groups_;
};

// Effective and other user and group ids. Linux: struct cred.
struct Credentials {
  uint32_t uid = 0, euid = 0, suid = 0, fsuid = 0;
  uint32_t gid = 0, egid = 0, sgid = 0, fsgid = 0;
  GroupList groups;
};

// Whether any signal ends a sleep, or only one that kills. Linux: TASK_INTERRUPTIBLE, TASK_KILLABLE.
enum class SleepKind : uint8_t { kInterruptible, kKillable };

// What a sleeping system call waits for, kept between the two calls of its handler (kCallSleeps).
struct Wait {
  const char* reason = "";              // for the deadlock report: "nanosleep", "futex"
  uint32_t object = 0;                  // its address, descriptor or pid
  std::optional<uint64_t> deadline_ns;  // as TimeSource::now_ns counts
  SleepKind kind = SleepKind::kInterruptible;
  std::shared_ptr<OpenFile> file;  // what it sleeps on, kept open meanwhile. Linux: fdget
  uint32_t progress = 0;           // bytes that a write has moved before it slept
  bool resumed = false;            // the handler is being called again
  bool satisfied = false;          // what it waited for has happened (set by who woke it)
  bool after_call = false;         // the fault or call is done but for what the disk still has to bring
};

// The end of a sleep. Linux: struct hrtimer_sleeper.
class SleepTimer final : public Timer {
 public:
  explicit SleepTimer(Task& task) : task_(task) {}
  void expire() override;

 private:
  Task& task_;
};

struct Task {
  // Whether a task's process is stopped by a signal is ThreadGroup::stop_signal.
  enum class State : uint8_t {
    kNew,       // by clone; has not run yet
    kRunning,   // in user mode or about to be
    kWoken,     // was asleep; the scheduler continues its system call
    kSleeping,  // in a system call; see wait
    kZombie,
  };

  explicit Task(Kernel& owner) : kernel(owner) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  Kernel& kernel;
  using ListHook = boost::intrusive::list_member_hook<>;
  using SetHook = boost::intrusive::set_member_hook<>;
  SetHook table_hook;             // TaskTable
  ListHook run_hook;              // Scheduler: it can run
  ThreadLink thread_link{*this};  // ThreadGroup::threads

  uint32_t tid = 0;   // Linux: pid
  uint32_t tgid = 0;  // what getpid answers
  // As wait4 stores it: exit code << 8, or the signal, | 0x80 with a core dump. Valid in kZombie.
  uint32_t exit_status = 0;
  std::string comm;  // at most 15 bytes

  Registers regs;
  State state = State::kRunning;
  // Looked at before every return to user mode: a signal may be deliverable, or rseq wants its write.
  bool work_pending = false;
  bool rseq_pending = false;  // the kernel owes the cpu number to user memory (rule H6)
  FxState fpu;                // while another task's state is in the processor
  // The processor compares these with what it has loaded before each run.
  TlsArray tls;

  std::shared_ptr<vm::AddressSpace> mm;
  // What exec loaded into mm: the executable, the vDSO's addresses, auxv.
  std::shared_ptr<const loaders::LoadedProgram> program;
  std::shared_ptr<const RunningProgram> running;  // its file, which nobody may write
  std::shared_ptr<FdTable> files;
  std::shared_ptr<FsContext> fs;
  std::shared_ptr<SignalHandlers> handlers;
  std::shared_ptr<ThreadGroup> group;
  std::shared_ptr<SemUndoList> sem_undo;  // null: nothing was done with SEM_UNDO. Linux: sysvsem.undo_list
  vm::FaultCounters faults;
  vm::MemPolicy policy;  // of set_mempolicy
  // While it waits for the disk, and until its instruction, at held_at, has run.
  vm::HeldPages held_pages;
  uint32_t held_at = 0;
  Credentials cred;
  uint64_t start_ns = 0;  // when it was made, as now_ns counts
  // Processor time before it was given the processor last: Kernel::cpu_time has the rest.
  uint64_t cpu_ns = 0;
  uint64_t voluntary_switches = 0, involuntary_switches = 0;
  uint64_t syscalls = 0;

  // --- the system call in progress ---
  // eax at the call, for restarting it; none outside a call. Linux: orig_ax, -1 outside a call.
  std::optional<uint32_t> orig_eax;
  Wait wait;
  TaskWaiter waiter{*this};  // for one queue
  FutexWaiter futex{*this};  // for a futex word
  SemWaiter sem_waiter{*this};
  MsgSender msg_sender{*this};
  MsgReceiver msg_receiver{*this};
  PollWaiters poll_waiters;       // for many
  SleepTimer sleep_timer{*this};  // of wait.deadline_ns
  RestartBlock restart;

  // --- signals ---
  SignalSet blocked;
  // The mask while rt_sigtimedwait lets the signals through that it waits for. Linux: real_blocked.
  std::optional<SignalSet> real_blocked;
  // The mask to go back to when a sigsuspend ends. Linux: saved_sigmask, TIF_RESTORE_SIGMASK.
  std::optional<SignalSet> saved_mask;
  PendingSignals pending;
  AltStack alt_stack;
  // Of the last fault, for struct sigcontext. Linux: thread.cr2, trap_nr, error_code.
  uint32_t cr2 = 0, trap_number = 0, error_code = 0;

  // --- faults that were tried again because an allocation was made to fail ---
  uint64_t seen_failures = 0;  // FailAlloc::failures, when last looked at
  VirtAddr retried_fault;
  uint32_t retried_at = 0;  // eip
  uint32_t fault_retries = 0;

  // --- thread library ---
  uint32_t set_child_tid = 0;    // where a new task stores its number before it runs
  uint32_t clear_child_tid = 0;  // where it stores 0 at its end
  uint32_t vfork_parent = 0;     // the task that waits until this one executes or ends; 0: none
  uint32_t robust_list = 0;
  uint32_t rseq = 0, rseq_length = 0, rseq_signature = 0;
  uint32_t charged_uid = 0;  // whose task it is for RLIMIT_NPROC
  uint32_t personality = 0;
  int32_t nice = 0;
  uint32_t sched_policy = 0;    // SCHED_OTHER; stored and shown, it decides nothing
  uint32_t sched_priority = 0;  // of a real-time policy
  uint32_t parent_death_signal = 0;
  bool keep_caps = false;           // PR_SET_KEEPCAPS; stored only
  uint32_t timer_slack_ns = 50000;  // PR_SET_TIMERSLACK; stored only

  bool is_leader() const { return tid == tgid; }
  // It runs as soon as it is its turn, unless its process is stopped.
  bool runnable() const { return state == State::kRunning || state == State::kWoken || state == State::kNew; }
  // The kernel's accesses to this task's memory, charged to it.
  vm::UserAccess user() { return vm::UserAccess(*mm, faults); }
  bool alive() const { return state != State::kZombie; }
};

}  // namespace fl::guest
