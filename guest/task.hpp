// Task: one thread of a guest program. Linux counterparts: task_struct, signal_struct (ThreadGroup),
// thread_struct.
//
// Owned by the Kernel. What clone() may share between tasks is behind a shared_ptr: mm (CLONE_VM), files
// (CLONE_FILES), fs (CLONE_FS), handlers (CLONE_SIGHAND), group (CLONE_THREAD).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "guest/cpu/registers.hpp"
#include "guest/process/limits.hpp"
#include "guest/signal/signal.hpp"
#include "guest/syscall/syscall.hpp"
#include "loaders/exec.hpp"
#include "mmu/base/addr.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/phys/mempolicy.hpp"
#include "vm/user_access.hpp"

namespace fl::guest {

class FdTable;
class FsContext;
class OpenFile;

// Effective and other user and group ids. Linux: struct cred.
struct Credentials {
  uint32_t uid = 0, euid = 0, suid = 0, fsuid = 0;
  uint32_t gid = 0, egid = 0, sgid = 0, fsgid = 0;
  std::vector<uint32_t> groups;  // supplementary
};

// What a sleeping system call waits for, kept between the two calls of its handler (kCallSleeps).
struct Wait {
  const char* reason = "";              // for the deadlock report: "nanosleep", "futex"
  uint32_t object = 0;                  // its address, descriptor or pid
  std::optional<uint64_t> deadline_ns;  // as TimeSource::now_ns counts
  std::shared_ptr<OpenFile> file;       // what it sleeps on, kept open meanwhile. Linux: fdget
  bool resumed = false;                 // the handler is being called again
  bool satisfied = false;               // what it waited for has happened (set by who woke it)
};

// What the threads of a process share. Linux: struct signal_struct.
struct ThreadGroup {
  uint32_t tgid = 0;
  Rlimits limits = default_rlimits();
  PendingSignals pending;  // signals sent to the process
  // ITIMER_REAL; virtual ns, none: disarmed.
  std::optional<uint64_t> alarm_ns;
  uint64_t alarm_interval_ns = 0;
  uint32_t dumpable = 1;
  bool no_new_privs = false;
  uint32_t membarrier_registered = 0;  // MEMBARRIER_CMD_REGISTER_* done
};

struct Task {
  enum class State : uint8_t {
    kRunning,   // in user mode or about to be
    kWoken,     // was asleep or stopped; the scheduler continues its system call
    kSleeping,  // in a system call; see wait
    kStopped,   // by a signal
    kZombie,
  };

  uint32_t tid = 0;   // Linux: pid
  uint32_t tgid = 0;  // what getpid answers
  uint32_t ppid = 0;
  uint32_t pgid = 0;
  uint32_t sid = 0;
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
  std::shared_ptr<FdTable> files;
  std::shared_ptr<FsContext> fs;
  std::shared_ptr<SignalHandlers> handlers;
  std::shared_ptr<ThreadGroup> group;
  vm::FaultCounters faults;
  vm::MemPolicy policy;  // of set_mempolicy
  Credentials cred;
  uint64_t start_ns = 0;
  uint64_t syscalls = 0;

  // --- the system call in progress ---
  // eax at the call, for restarting it; none outside a call. Linux: orig_ax, -1 outside a call.
  std::optional<uint32_t> orig_eax;
  Wait wait;
  // What restart_syscall does: an absolute deadline of a nanosleep and where its remainder goes. Linux:
  // restart_block.
  std::optional<uint64_t> restart_deadline_ns;
  uint32_t restart_remainder = 0;
  bool restart_time64 = false;

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
  uint32_t clear_child_tid = 0;
  uint32_t robust_list = 0;
  uint32_t futex_bitset = 0;  // of the futex wait in progress
  uint32_t rseq = 0, rseq_length = 0, rseq_signature = 0;
  uint32_t personality = 0;
  int32_t nice = 0;
  uint32_t parent_death_signal = 0;

  // The kernel's accesses to this task's memory, charged to it.
  vm::UserAccess user() { return vm::UserAccess(*mm, faults); }
  bool alive() const { return state != State::kZombie; }
};

}  // namespace fl::guest
