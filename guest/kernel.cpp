// Kernel: tasks, sleeping and waking, exit, and choosing who runs next. Traps are in kernel_traps.cpp.
#include "guest/kernel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "guest/fs/open_file.hpp"
#include "guest/fs/vfs.hpp"
#include "guest/ipc/ipc.hpp"
#include "guest/log.hpp"
#include "guest/process/rseq.hpp"
#include "guest/signal/send.hpp"
#include "guest/task/oom_kill.hpp"
#include "guest/task/wait_status.hpp"

namespace fl::guest {
namespace {

// Not 1: the guest's first program is no init, and Linux treats that pid differently.
constexpr uint32_t kFirstPid = 1000;
constexpr int kHostError = 125;

bool anybody_lives(const TaskTable& tasks) {
  return std::any_of(tasks.begin(), tasks.end(), [](const Task& task) { return task.alive(); });
}

}  // namespace

int Outcome::exit_status() const {
  return kind == Kind::kDeadlock || kind == Kind::kPanic ? kHostError : shell_status(wait_status);
}

Kernel::Kernel(const KernelPorts& ports, KernelOptions options)
    : ports_(ports),
      options_(std::move(options)),
      caches_(ports.memory.slab()),
      ipc_(std::make_unique<Ipc>(*this, ports.memory)),
      oom_kill_(std::make_unique<OomKill>(*this)),
      next_pid_(kFirstPid),
      random_(options_.seed) {
  for (const vm::Node& node : ports_.memory.pages().nodes()) {
    kswapds_.emplace_back(ports_.memory.reclaim(), node.id);
  }
  ports_.vfs.set_kernel(this);
}

Kernel::~Kernel() {
  release_tasks();
  ports_.vfs.set_kernel(nullptr);
}

void Kernel::random_bytes(std::span<std::byte> to) {
  while (!to.empty()) {
    const uint64_t word = random_();
    const size_t bytes = std::min(to.size(), sizeof word);
    std::memcpy(to.data(), &word, bytes);
    to = to.subspan(bytes);
  }
}

tl::unexpected<Errno> Kernel::sleep(Task& task, const char* reason, uint32_t object,
                                    std::optional<uint64_t> deadline_ns, SleepKind kind) {
  task.state = Task::State::kSleeping;
  // What an earlier round of the same call left stays.
  task.wait.reason = reason;
  task.wait.object = object;
  task.wait.deadline_ns = deadline_ns;
  task.wait.kind = kind;
  task.wait.resumed = task.wait.satisfied = false;
  if (deadline_ns) {
    timers_.arm(task.sleep_timer, *deadline_ns);
  }
  scheduler_.dequeue(task);
  ++task.voluntary_switches;
  return fail(kCallSleeps);
}

void Kernel::wake(Task& task) {
  if (task.state != Task::State::kSleeping) {
    return;
  }
  task.wait.resumed = true;
  leave_queues(task);
  rseq_preempted(task);
  task.state = Task::State::kWoken;
  if (task.group->stop_signal == 0) {
    scheduler_.enqueue(task);
  }
}

void Kernel::leave_queues(Task& task) {
  task.sleep_timer.cancel();
  if (task.waiter.waits()) {
    task.waiter.leave();
  }
  if (task.futex.is_linked()) {
    task.futex.unlink();
  }
  ipc_->sysv.leave(task);
  task.poll_waiters.clear_and_dispose([this](PollWaiter* waiter) { caches_.poll_waiter.destroy(waiter); });
}

void Kernel::yield(Task& task) {
  scheduler_.rotate(task);
  reschedule_ = scheduler_.contended();
}

void TaskWaiter::wake_task(WaitEntry& entry, uint32_t) {
  Task& task = *static_cast<TaskWaiter&>(entry).task_;
  task.kernel.wake(task);
}

void SleepTimer::expire() { task_.kernel.wake(task_); }

void Kernel::panic(std::string report) {
  outcome_ = {.kind = Outcome::Kind::kPanic, .wait_status = 0, .report = std::move(report)};
  panicked_ = reschedule_ = true;
}

void Kernel::note_unimplemented(const Task& task, uint32_t number) {
  if (++unimplemented_[number] == 1) {
    const std::string_view name = syscall_name(number);
    logger("guest.syscall")
        ->warn("{}[{}]: system call {} ({}) is not implemented: ENOSYS", task.comm, task.tid, number,
               name.empty() ? "unknown" : name);
  }
}

std::optional<uint64_t> Kernel::next_event_ns() const {
  std::optional<uint64_t> timer = timers_.next_ns();
  const bool ticks =
      (current_ != nullptr && current_->group->watches_cpu()) || ports_.vfs.host_poller().anybody_waits();
  if (ticks && (!timer || next_tick_ns_ < *timer)) {
    timer = next_tick_ns_;
  }
  if (!scheduler_.contended()) [[likely]] {
    return timer;
  }
  const uint64_t used = ports_.time.cpu_ns() - on_cpu_since_;
  const uint64_t left = used < Scheduler::kSliceNs ? Scheduler::kSliceNs - used : 0;
  const uint64_t end = ports_.time.now_ns() + left;
  return timer && *timer < end ? timer : end;
}

void Kernel::end_slice() {
  if (current_ == nullptr || ports_.time.cpu_ns() - on_cpu_since_ < Scheduler::kSliceNs) {
    return;
  }
  scheduler_.rotate(*current_);
  ++current_->involuntary_switches;
  reschedule_ = true;
}

// Everything that can happen by itself: the end of a sleep, a timer; news from outside.
bool Kernel::idle() {
  if (!anybody_lives(tasks_)) {
    return false;  // kswapd may wait for the disk still
  }
  const std::optional<uint64_t> next = timers_.next_ns();
  if (ports_.vfs.host_poller().anybody_waits()) {
    wait_in_host(next);
    return true;
  }
  if (!next) {
    return false;
  }
  ports_.time.sleep_until(*next);
  fire_timers();
  return true;
}

// The time that passes outside passes inside too, as far as there is something to come.
void Kernel::wait_in_host(std::optional<uint64_t> next_ns) {
  constexpr uint64_t kNsPerMs = 1'000'000, kSliceMs = 100;
  const uint64_t now = ports_.time.now_ns();
  const uint64_t left = next_ns && *next_ns > now ? *next_ns - now : 0;
  const uint64_t slice_ms = next_ns ? std::min((left + kNsPerMs - 1) / kNsPerMs, kSliceMs) : kSliceMs;
  const bool news = ports_.vfs.host_poller().look(static_cast<int>(slice_ms));
  if (!news && next_ns) {
    ports_.time.sleep_until(std::min(now + slice_ms * kNsPerMs, *next_ns));
  }
  fire_timers();
}

std::string Kernel::deadlock_report() const {
  std::string report = "deadlock: no task can ever run again";
  for (const Task& task : tasks_) {
    if (task.alive() && task.group->stop_signal != 0) {
      fmt::format_to(std::back_inserter(report), "\n  {}[{}] was stopped by {}", task.comm, task.tid,
                     signal_name(task.group->stop_signal));
    } else if (task.alive()) {
      fmt::format_to(std::back_inserter(report), "\n  {}[{}] waits in {} for {:#x}", task.comm, task.tid,
                     task.wait.reason, task.wait.object);
    }
  }
  return report;
}

void Kernel::switch_to(Task& task) {
  if (current_ == &task) {
    return;
  }
  const uint64_t now = ports_.time.cpu_ns();
  if (current_ != nullptr) {
    current_->cpu_ns += now - on_cpu_since_;
    if (current_->alive()) {
      current_->fpu = ports_.fpu.save();
      rseq_preempted(*current_);
    }
  }
  if (current_ == nullptr || current_->mm != task.mm) {
    ports_.memory.mmu().set_cr3(task.mm->tables().directory());
    ports_.memory.overcommit().set_current(task.mm.get());
    ports_.memory.tlb().flush();
  }
  ports_.memory.set_task_policy(task.policy);
  ports_.fpu.restore(task.fpu);
  current_ = &task;
  on_cpu_since_ = now;
}

// Nothing can run any more: everything has ended, or what is left waits for ever.
Outcome Kernel::finish() {
  if (init_ != nullptr && init_->live_threads > 0) {
    return {.kind = Outcome::Kind::kDeadlock, .wait_status = 0, .report = deadlock_report()};
  }
  if (anybody_lives(tasks_)) {
    logger("guest")->warn("the first process has ended, and others will never run again: {}", deadlock_report());
  }
  return {.kind = Outcome::Kind::kExited, .wait_status = init_ != nullptr ? init_->exit_status : 0, .report = {}};
}

Task* Kernel::pick_next() {
  while (true) {
    empty_graveyard();
    reschedule_ = false;
    if (panicked_) {
      return nullptr;
    }
    if (stop_requested()) {
      outcome_ = {.kind = Outcome::Kind::kStopped, .wait_status = 0, .report = {}};
      return nullptr;
    }
    if (ports_.memory.reclaim().kswapd_runnable()) [[unlikely]] {
      run_kswapds();
    }
    Task* const task = scheduler_.first();
    if (task == nullptr) {
      if (idle()) {
        continue;
      }
      outcome_ = finish();
      return nullptr;
    }
    switch_to(*task);
    if (task->state == Task::State::kNew) {
      begin_task(*task);
    }
    task->state = Task::State::kRunning;
    if (task->wait.after_call) {
      task->wait = Wait{};
    } else if (task->wait.resumed) {
      resume_call(*task);
    }
    wait_for_disk(*task);
    if (task->work_pending && task->state == Task::State::kRunning) {
      return_to_user(*task);
    }
    if (task->state == Task::State::kRunning && !reschedule_) {
      return task;
    }
  }
}

}  // namespace fl::guest
