// Kernel: the Linux personality. Owns the tasks; borrows memory, files, clock and processor.
//
// The run loop of the machine:   while (Task* task = kernel.schedule()) { Trap t = cpu.run(*task);
// kernel.on_trap(*task, t); } The kernel never runs inside the CPU: a trap comes in, the task's registers
// change, the loop goes on. A system call that must sleep marks its task (kCallSleeps) and its handler is
// called again when the task is woken. Linux counterparts: arch/x86/mm/fault.c, kernel/traps.c,
// entry/common.c; scheduler and init_task.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guest/cpu/registers.hpp"
#include "guest/fs/swap_device.hpp"
#include "guest/ipc/futex.hpp"
#include "guest/signal/signal_state.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task.hpp"
#include "guest/task/clone.hpp"
#include "guest/task/kswapd_thread.hpp"
#include "guest/task/scheduler.hpp"
#include "guest/task/task_caches.hpp"
#include "guest/task/task_table.hpp"
#include "guest/time/time_source.hpp"
#include "guest/time/timer_queue.hpp"
#include "loaders/exec.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/memory_system.hpp"
#include "vm/profile.hpp"

namespace fl::guest {

class Vfs;
struct Ipc;
class OomChooser;
class OomKill;
struct ExecCall;

// What the emulator wants to hear of: --strace, counts. Every method is called while the task's memory is as
// the program left it; an observer must not fault pages in.
class KernelObserver {
 public:
  virtual ~KernelObserver() = default;
  // Before and after a handler. A sleeping call is entered once and left once. `result` as eax: value or
  // -errno.
  virtual void on_syscall_enter(const Task& task, uint32_t number, const SyscallArgs& args) = 0;
  virtual void on_syscall_exit(const Task& task, uint32_t number, const SyscallArgs& args, uint32_t result) = 0;
  // A signal is delivered to a handler, or (about to) end the task.
  virtual void on_signal(const Task& task, const SignalInfo& info) = 0;
  // A clone made `child`, which has not run yet.
  virtual void on_clone(const Task& /*parent*/, const Task& /*child*/) {}
  // The task goes on with another program, of which nothing has run yet. Not told of the machine's first one.
  virtual void on_exec(const Task& /*task*/) {}
  // The task is a zombie from now on; its counters are final, its memory still there. Once for each thread.
  virtual void on_exit(const Task& task) = 0;
};

struct KernelPorts {
  vm::MemorySystem& memory;
  Vfs& vfs;
  FpuPort& fpu;
  TimeSource& time;
  KernelObserver* observer = nullptr;  // null: nobody listens, the fast path
  OomChooser* oom_chooser = nullptr;   // null: the kernel chooses
  // Set from a host signal handler: the machine is to stop (Ctrl-C, --timeout). Null: never.
  const std::atomic<bool>* stop = nullptr;
};

struct KernelOptions {
  // Feeds getrandom, AT_RANDOM.
  uint64_t seed = 0;
  // Random offsets for the address-space layout, from the seed.
  bool aslr = false;
  // What getuid and its family answer.
  Credentials credentials;
  std::string host_name = "faultline";
  // The processor's features for the auxiliary vector: CPUID 1 edx and AT_HWCAP2.
  uint32_t hwcap = 0, hwcap2 = 0;
  SignalState signal_state;
  // Swap areas of the command line.
  std::vector<SwapDevice> swap_devices = {};
};

// What create_init starts.
struct InitRequest {
  std::string path;  // in the guest's file tree
  std::vector<std::string> argv, env;
};

// How the machine's work ended.
struct Outcome {
  enum class Kind : uint8_t {
    kExited,    // all processes ended; see the first one's wait status
    kDeadlock,  // every task sleeps for ever; `report` says who waits for what
    kPanic,     // nothing can go on; `report` says why
    kStopped,   // KernelPorts::stop was set
  };
  Kind kind = Kind::kExited;
  uint32_t wait_status = 0;
  std::string report;
  // 128+signal or the exit code; 125 for a deadlock or a panic.
  int exit_status() const;
};

class Kernel {
 public:
  Kernel(const KernelPorts& ports, KernelOptions options);
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  ~Kernel();

  // Makes the first task and loads its program. Its files are descriptors 0-2 as the Vfs gives them.
  // The errors of open and execve. Linux: kernel_execve of init.
  Result<Task*> create_init(const InitRequest& request);

  // Forgets all tasks, ended or not, and gives back what they and the vDSO hold. Nothing can run afterwards.
  void release_tasks();
  // Removes System V objects, which outlive their makers. After release_tasks.
  void empty_ipc();

  // The task to run next, with its address space in CR3; null when the machine's work has ended (see
  // outcome()).
  Task* schedule() {
    if (current_ != nullptr && current_->state == Task::State::kRunning && !reschedule_) [[likely]] {
      return current_;
    }
    return pick_next();
  }
  // The task that runs, or on whose behalf the kernel works just now. Null: none has run yet.
  Task* current() const { return current_; }
  // The CPU stopped running `task`, whose registers are stored.
  void on_trap(Task& task, const Trap& trap);
  // When the kernel wants the processor back at the latest: the next timer, or the end of the task's slice while others
  // wait; as now_ns counts. The run loop must let the CPU trap (kInterrupted) soon after that.
  std::optional<uint64_t> next_event_ns() const;
  const Outcome& outcome() const { return outcome_; }

  // --- for system calls ---
  vm::MemorySystem& memory() { return ports_.memory; }
  const vm::KernelProfile& profile() const { return ports_.memory.profile(); }
  Vfs& vfs() { return ports_.vfs; }
  FpuPort& fpu() { return ports_.fpu; }
  TimeSource& time() { return ports_.time; }
  KernelObserver* observer() { return ports_.observer; }
  OomChooser* oom_chooser() { return ports_.oom_chooser; }
  bool stop_requested() const { return ports_.stop != nullptr && ports_.stop->load(std::memory_order_relaxed); }
  const KernelOptions& options() const { return options_; }
  TaskTable& tasks() { return tasks_; }
  const TaskTable& tasks() const { return tasks_; }
  TaskCaches& caches() { return caches_; }
  TimerQueue& timers() { return timers_; }
  FutexTable& futexes() { return futexes_; }
  Ipc& ipc() { return *ipc_; }
  // Nothing would happen while the only task waits for the world outside.
  bool alone() const { return timers_.empty() && !scheduler_.contended(); }
  // Zombies too. Null: none of this number.
  Task* find_task(uint32_t tid) { return tasks_.find_tid(tid); }
  // Processor time that the task had.
  uint64_t cpu_time(const Task& task) const {
    return task.cpu_ns + (&task == current_ ? ports_.time.cpu_ns() - on_cpu_since_ : 0);
  }
  // What a process used, with its living threads; without its children.
  ResourceUse resource_use(const ThreadGroup& group) const;
  ResourceUse resource_use(const Task& task) const;
  // Signals that wait and processes that live, of one user: for RLIMIT_SIGPENDING and RLIMIT_NPROC.
  struct UserUse {
    uint32_t signals = 0, tasks = 0;
  };
  UserUse& user_use(uint32_t uid) { return users_[uid]; }
  void random_bytes(std::span<std::byte> to);
  uint64_t total_syscalls() const { return total_syscalls_; }

  // Puts the calling task to sleep; the handler returns what this gives. It is called again, with
  // task.wait.resumed set, after the deadline, after wake(), or when a signal is pending.
  tl::unexpected<Errno> sleep(Task& task, const char* reason, uint32_t object, std::optional<uint64_t> deadline_ns,
                              SleepKind kind = SleepKind::kInterruptible);
  void wake(Task& task);
  // The task gives way to the others that can run. Linux: sched_yield.
  void yield(Task& task);
  // Sends the signals of timers that are due. For calls that wait in the host; the run loop does it otherwise.
  void fire_timers() { timers_.fire(ports_.time.now_ns()); }

  // --- tasks (guest/task/) ---
  // A new task that can run. EAGAIN, EINVAL, ENOMEM, EFAULT; nothing is left then. Linux: copy_process.
  Result<Task*> clone(Task& parent, const CloneRequest& request);
  // The task's process goes on with another program. What fails before the old one is given up leaves everything as it
  // was; later, the task is killed. Linux: do_execveat_common.
  Status exec(Task& task, const ExecCall& call);
  // Ends a task (exit) or all of its group (exit_group, a fatal signal). `status` as wait4 stores it.
  void exit_task(Task& task, uint32_t status);
  void exit_group(Task& task, uint32_t status);
  // The parent has waited for a zombie: it is gone. Linux: release_task.
  void reap(ThreadGroup& group);
  // All threads of the process stand still until continue_group; the parent hears of it. Linux: do_signal_stop.
  void stop_group(ThreadGroup& group, int signal);
  // SIGCONT or SIGKILL came. Linux: prepare_signal.
  void continue_group(ThreadGroup& group);
  // The machine cannot go on: it ends with this report. Linux: panic.
  void panic(std::string report);
  // Counts a call that is not there and logs its first use.
  void note_unimplemented(const Task& task, uint32_t number);
  const std::map<uint32_t, uint64_t>& unimplemented() const { return unimplemented_; }

 private:
  // Makes `task` the current one for the kernel's work on its behalf.
  class ActFor {
   public:
    ActFor(Kernel& kernel, Task& task) : kernel_(kernel), before_(std::exchange(kernel.current_, &task)) {}
    ~ActFor() { kernel_.current_ = before_; }
    ActFor(const ActFor&) = delete;
    ActFor& operator=(const ActFor&) = delete;

   private:
    Kernel& kernel_;
    Task* before_;
  };

  void do_system_call(Task& task);
  void run_handler(Task& task, uint32_t number, const SyscallArgs& args);
  void resume_call(Task& task);
  void do_page_fault(Task& task, const Trap& trap);
  void io_schedule(Task& task, uint64_t until);
  void run_kswapds();
  // The task's work is done but for what it asked of the disk, if it did.
  void wait_for_disk(Task& task) {
    if (const uint64_t until = ports_.memory.disk().take_wait(); until != 0) [[unlikely]] {
      io_schedule(task, until);
    }
  }
  bool retry_failed_fault(Task& task, const Trap& trap);
  void return_to_user(Task& task);
  Task* pick_next();
  void switch_to(Task& task);
  // It waits for nothing any more.
  void leave_queues(Task& task);
  // What happens 250 times a second while somebody runs.
  void tick();
  // The slice of the running task is over and others wait.
  void end_slice();
  // Nothing is runnable: lets time pass until something is. False: nothing ever will be.
  bool idle();
  // Until somebody outside does something, the next timer, or a while.
  void wait_in_host(std::optional<uint64_t> next_ns);
  std::string deadlock_report() const;
  Outcome finish();

  // init.cpp, exec.cpp
  Status boot_vdso();
  loaders::ExecRequest exec_request(const Task& task);
  void start_program(Task& task, loaders::LoadedProgram program);
  // clone.cpp
  Result<uint32_t> free_tid();
  Status share_or_copy(Task& child, Task& parent, uint64_t flags);
  void add_task(Task& task);
  // The first thing that a new task does. Linux: schedule_tail.
  void begin_task(Task& task);
  // exit.cpp
  void release_mm(Task& task);
  void group_ended(ThreadGroup& group);
  static ThreadGroup* new_parent(const ThreadGroup& group);
  void give_children_away(ThreadGroup& group);
  void notify_parent(ThreadGroup& group);
  void tell_parent_of_stop(ThreadGroup& group, int32_t code, int status);
  void end_other_threads(Task& task);
  void become_only_thread(Task& task);
  void bury(Task& task);
  void empty_graveyard();

  KernelPorts ports_;
  KernelOptions options_;
  std::unique_ptr<loaders::VdsoImage> vdso_;  // outlives the address spaces of the tasks
  TaskCaches caches_;
  TimerQueue timers_;
  std::deque<KswapdThread> kswapds_;  // of each node
  FutexTable futexes_;
  std::unique_ptr<Ipc> ipc_;
  std::unique_ptr<OomKill> oom_kill_;
  Scheduler scheduler_;
  TaskTable tasks_;
  // Tasks that are gone but may still be in use further up the stack; freed before the next one is chosen.
  std::vector<Task*> graveyard_;
  std::map<uint32_t, UserUse> users_;
  Task* current_ = nullptr;
  uint64_t on_cpu_since_ = 0;  // of current_, as cpu_ns counts
  bool reschedule_ = false;
  bool panicked_ = false;
  // The instruction that faulted last.
  uint32_t last_fault_task_ = 0, last_fault_eip_ = 0;
  std::shared_ptr<ThreadGroup> init_;  // the first process
  uint32_t next_pid_;
  std::mt19937_64 random_;
  uint64_t total_syscalls_ = 0;
  uint64_t next_tick_ns_ = 0;
  std::map<uint32_t, uint64_t> unimplemented_;
  Outcome outcome_;
};

}  // namespace fl::guest
