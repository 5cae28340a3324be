// Kernel: tasks, sleeping and waking, exit, and choosing who runs next. Traps are in kernel_traps.cpp.
#include "guest/kernel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "guest/fs/vfs.hpp"
#include "guest/log.hpp"
#include "guest/process/rseq.hpp"
#include "guest/signal/send.hpp"

namespace fl::guest {
namespace {

// Not 1: the guest's first program is no init, and Linux treats that pid differently.
constexpr uint32_t kFirstPid = 1000;
constexpr int kHostError = 125;

}  // namespace

int Outcome::exit_status() const {
  if (kind == Kind::kDeadlock) {
    return kHostError;
  }
  const int signal = static_cast<int>(wait_status & 0x7f);
  return signal != 0 ? 128 + signal : static_cast<int>(wait_status >> 8 & 0xff);
}

Kernel::Kernel(const KernelPorts& ports, KernelOptions options)
    : ports_(ports), options_(std::move(options)), next_pid_(kFirstPid), random_(options_.seed) {
  ports_.vfs.set_kernel(this);
}

Kernel::~Kernel() { ports_.vfs.set_kernel(nullptr); }

void Kernel::release_tasks() {
  current_ = init_ = nullptr;
  tasks_.clear();
  vdso_.reset();
}

Task* Kernel::find_task(uint32_t tid) {
  const auto found = std::find_if(tasks_.begin(), tasks_.end(), [&](const auto& task) { return task->tid == tid; });
  return found == tasks_.end() ? nullptr : found->get();
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
                                    std::optional<uint64_t> deadline_ns) {
  task.state = Task::State::kSleeping;
  task.wait = Wait{.reason = reason, .object = object, .deadline_ns = deadline_ns, .file = nullptr, .resumed = false};
  return fail(kCallSleeps);
}

void Kernel::wake(Task& task) {
  if (task.state == Task::State::kSleeping) {
    task.wait.resumed = true;
    rseq_preempted(task);
    task.state = Task::State::kWoken;
  } else if (task.state == Task::State::kStopped) {
    task.work_pending = true;
    task.state = Task::State::kWoken;
  }
}

void Kernel::exit_task(Task& task, uint32_t status) {
  if (!task.alive()) {
    return;
  }
  task.exit_status = status;
  task.state = Task::State::kZombie;
  if (ports_.observer != nullptr) {
    ports_.observer->on_exit(task);
  }
}

void Kernel::exit_group(Task& task, uint32_t status) {
  for (const auto& other : tasks_) {
    if (other->group == task.group) {
      exit_task(*other, status);
    }
  }
}

void Kernel::note_unimplemented(const Task& task, uint32_t number) {
  if (++unimplemented_[number] == 1) {
    const std::string_view name = syscall_name(number);
    logger("guest.syscall")
        ->warn("{}[{}]: system call {} ({}) is not implemented: ENOSYS", task.comm, task.tid, number,
               name.empty() ? "unknown" : name);
  }
}

std::optional<uint64_t> Kernel::find_next_timer() const {
  std::optional<uint64_t> next;
  for (const auto& task : tasks_) {
    const std::optional<uint64_t>& alarm = task->group->alarm_ns;
    if (task->alive() && alarm && (!next || *alarm < *next)) {
      next = alarm;
    }
  }
  return next;
}

void Kernel::fire_timers() {
  const uint64_t now = ports_.time.now_ns();
  for (const auto& task : tasks_) {
    ThreadGroup& group = *task->group;
    if (!task->alive() || !group.alarm_ns || *group.alarm_ns > now) {
      continue;
    }
    if (group.alarm_interval_ns != 0) {
      // As a periodic hrtimer: the next multiple that is still to come.
      const uint64_t late = now - *group.alarm_ns;
      *group.alarm_ns += (late / group.alarm_interval_ns + 1) * group.alarm_interval_ns;
    } else {
      group.alarm_ns.reset();
    }
    update_timer_count();
    send_signal(*this, *task, SignalInfo{.signal = Signal::kAlrm, .code = SiCode::kKernel}, SignalTarget::kGroup);
  }
}

void Kernel::update_timer_count() { timers_armed_ = find_next_timer().has_value(); }

// Everything that can happen by itself: the end of a sleep, a timer.
bool Kernel::idle() {
  std::optional<uint64_t> next = next_timer_ns();
  for (const auto& task : tasks_) {
    if (task->state == Task::State::kSleeping && task->wait.deadline_ns && (!next || *task->wait.deadline_ns < *next)) {
      next = task->wait.deadline_ns;
    }
  }
  if (!next) {
    return false;
  }
  ports_.time.sleep_until(*next);
  const uint64_t now = ports_.time.now_ns();
  for (const auto& task : tasks_) {
    if (task->state == Task::State::kSleeping && task->wait.deadline_ns && *task->wait.deadline_ns <= now) {
      wake(*task);
    }
  }
  fire_timers();
  return true;
}

std::string Kernel::deadlock_report() const {
  std::string report = "deadlock: no task can ever run again";
  for (const auto& task : tasks_) {
    if (task->state == Task::State::kStopped) {
      fmt::format_to(std::back_inserter(report), "\n  {}[{}] was stopped by a signal", task->comm, task->tid);
    } else if (task->alive()) {
      fmt::format_to(std::back_inserter(report), "\n  {}[{}] waits in {} for {:#x}", task->comm, task->tid,
                     task->wait.reason, task->wait.object);
    }
  }
  return report;
}

Task* Kernel::next_runnable() {
  // Round robin: the search begins behind the task that ran last.
  const auto current = std::find_if(tasks_.begin(), tasks_.end(), [&](const auto& t) { return t.get() == current_; });
  const size_t begin = current == tasks_.end() ? 0 : static_cast<size_t>(current - tasks_.begin()) + 1;
  for (size_t i = 0; i < tasks_.size(); ++i) {
    Task& task = *tasks_[(begin + i) % tasks_.size()];
    if (task.state == Task::State::kRunning || task.state == Task::State::kWoken) {
      return &task;
    }
  }
  return nullptr;
}

void Kernel::switch_to(Task& task) {
  if (current_ == &task) {
    return;
  }
  if (current_ != nullptr) {
    current_->fpu = ports_.fpu.save();
    rseq_preempted(*current_);
  }
  if (current_ == nullptr || current_->mm != task.mm) {
    ports_.memory.mmu().set_cr3(task.mm->tables().directory());
    ports_.memory.tlb().flush();
  }
  ports_.memory.set_task_policy(task.policy);
  ports_.fpu.restore(task.fpu);
  current_ = &task;
}

Task* Kernel::pick_next() {
  while (true) {
    if (init_ == nullptr || !init_->alive()) {
      outcome_ = {
          .kind = Outcome::Kind::kExited, .wait_status = init_ == nullptr ? 0 : init_->exit_status, .report = {}};
      return nullptr;
    }
    if (stop_requested()) {
      outcome_ = {.kind = Outcome::Kind::kStopped, .wait_status = 0, .report = {}};
      return nullptr;
    }
    Task* task = next_runnable();
    if (task == nullptr) {
      if (idle()) {
        continue;
      }
      outcome_ = {.kind = Outcome::Kind::kDeadlock, .wait_status = 0, .report = deadlock_report()};
      return nullptr;
    }
    switch_to(*task);
    task->state = Task::State::kRunning;
    if (task->wait.resumed) {
      resume_call(*task);
    }
    if (task->work_pending && task->state == Task::State::kRunning) {
      return_to_user(*task);
    }
    if (task->state == Task::State::kRunning) {
      return task;
    }
  }
}

}  // namespace fl::guest
