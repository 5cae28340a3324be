// Kernel::on_trap: page faults, system calls and exceptions come in, the task goes back to user mode.
// Linux counterparts: arch/x86/entry/common.c, exc_page_fault, exit_to_user_mode_loop.
#include <utility>

#include "guest/fs/vfs.hpp"
#include "guest/kernel.hpp"
#include "guest/process/rseq.hpp"
#include "guest/signal/deliver.hpp"
#include "guest/signal/send.hpp"
#include "guest/time/coarse_clock.hpp"
#include "guest/traps.hpp"
#include "vm/reclaim/page_reclaim.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t as_answer(Errno error) { return 0u - static_cast<uint32_t>(error); }

SyscallArgs args_of(const Registers& regs) { return {{regs.ebx, regs.ecx, regs.edx, regs.esi, regs.edi, regs.ebp}}; }

}  // namespace

void Kernel::on_trap(Task& task, const Trap& trap) {
  if (!task.held_pages.empty() && trap.kind != Trap::Kind::kPageFault) [[unlikely]] {
    task.held_pages.clear();
  }
  switch (trap.kind) {
    case Trap::Kind::kPageFault:
      task.orig_eax.reset();
      do_page_fault(task, trap);
      break;
    case Trap::Kind::kSystemCall:
      do_system_call(task);
      break;
    case Trap::Kind::kException:
      task.orig_eax.reset();
      do_exception(*this, task, static_cast<Vector>(trap.vector), trap.error_code);
      break;
    case Trap::Kind::kInterrupted:
      task.orig_eax.reset();
      break;
  }
  if (!timers_.empty()) {
    fire_timers();
  }
  if (scheduler_.contended()) {
    end_slice();
  }
  if (ports_.time.now_ns() >= next_tick_ns_) {
    tick();
  }
  if (ports_.memory.reclaim().kswapd_runnable()) [[unlikely]] {
    run_kswapds();
  }
  wait_for_disk(task);
  if (task.work_pending && task.state == Task::State::kRunning) [[unlikely]] {
    return_to_user(task);
  }
}

// What the tasks asked of the disk before is theirs to wait for; kswapd's own work keeps the processor from them.
void Kernel::run_kswapds() {
  vm::RequestQueue& disk = ports_.memory.disk();
  const uint64_t task_waits = disk.take_wait();
  for (KswapdThread& kswapd : kswapds_) {
    kswapd.run(timers_);
  }
  if (const uint64_t until = disk.take_wait(); until > ports_.time.now_ns()) {
    ports_.time.sleep_until(until);
  }
  disk.wait_until(task_waits);
}

// What the task's fault or call asked of the disk will be there then; it goes on when it is. What it faulted in is
// held: others would take it before the instruction is tried again, and lose theirs to it, for ever. Linux:
// io_schedule.
void Kernel::io_schedule(Task& task, uint64_t until) {
  if (task.state != Task::State::kRunning || until <= ports_.time.now_ns()) {
    return;
  }
  task.held_pages.hold(ports_.memory);
  task.held_at = task.regs.eip;
  static_cast<void>(sleep(task, "disk", 0, until, SleepKind::kKillable));
  task.wait.after_call = true;
  if (sleep_ends_by_signal(task)) {
    wake(task);
  }
}

// Linux: tick_periodic, update_process_times.
void Kernel::tick() {
  next_tick_ns_ = update_coarse_clock(ports_.time, vdso_->clock_data());
  if (vm::MemCgroup* const memcg = ports_.memory.memcg(); memcg != nullptr) {
    memcg->tick(ports_.time.now_ns());
  }
  if (current_ != nullptr) {
    run_cpu_timers(*this, *current_);
  }
  if (ports_.vfs.host_poller().anybody_waits()) {
    static_cast<void>(ports_.vfs.host_poller().look(0));
  }
}

void Kernel::do_page_fault(Task& task, const Trap& trap) {
  vm::FaultedPages& faulted = ports_.memory.faulted_pages();
  if (last_fault_task_ != task.tid || last_fault_eip_ != task.regs.eip) {
    faulted.clear();
    last_fault_task_ = task.tid;
    last_fault_eip_ = task.regs.eip;
  }
  if (!task.held_pages.empty()) [[unlikely]] {
    if (task.held_at == task.regs.eip) {
      task.held_pages.release_to(faulted);  // the same instruction's next page
    } else {
      task.held_pages.clear();
    }
  }
  const vm::FaultResult result =
      vm::handle_page_fault(*task.mm, trap.addr, trap.access, trap.error_code, vm::FaultMode::kUser, task.faults);
  if (vm::is_error(result)) [[unlikely]] {
    if (result != vm::FaultResult::kOom || !retry_failed_fault(task, trap)) {
      refuse_page_fault(*this, task, trap, result);
    }
  }
}

// A fault failed for want of memory although there is some: --fail-alloc was at work. Linux (pagefault_out_of_memory)
// lets the access be tried again, for ever; here the task is killed in the end.
bool Kernel::retry_failed_fault(Task& task, const Trap& trap) {
  constexpr uint32_t kMostRetries = 16;
  vm::FailAlloc& failing = ports_.memory.pages().fail_alloc();
  if (failing.failures() == task.seen_failures) {
    return false;
  }
  task.seen_failures = failing.failures();
  const bool same = task.retried_fault == trap.addr && task.retried_at == task.regs.eip;
  task.fault_retries = same ? task.fault_retries + 1 : 1;
  task.retried_fault = trap.addr;
  task.retried_at = task.regs.eip;
  return task.fault_retries <= kMostRetries;
}

void Kernel::do_system_call(Task& task) {
  const uint32_t number = task.regs.eax;
  const SyscallArgs args = args_of(task.regs);
  task.orig_eax = number;
  ports_.memory.faulted_pages().clear();  // those of the instructions before
  ++task.syscalls;
  ++total_syscalls_;
  if (ports_.observer != nullptr) {
    ports_.observer->on_syscall_enter(task, number, args);
  }
  run_handler(task, number, args);
}

// A sleeping call goes on. Its arguments are still in the registers.
void Kernel::resume_call(Task& task) {
  const uint32_t number = *task.orig_eax;
  run_handler(task, number, args_of(task.regs));
  if (task.state != Task::State::kSleeping) {
    task.wait = Wait{};
  }
}

void Kernel::run_handler(Task& task, uint32_t number, const SyscallArgs& args) {
  const Result<uint32_t> result = syscall_entry(number).handler(*this, task, args);
  if (result.has_value()) [[likely]] {
    task.regs.eax = *result;
  } else if (result.error() == kCallSleeps) {
    if (sleep_ends_by_signal(task)) {
      wake(task);  // the handler will see it at once and end
    }
    return;
  } else if (result.error() != kRegistersReplaced) {
    task.regs.eax = as_answer(result.error());
  }
  task.wait.progress = 0;
  if (ports_.observer != nullptr && task.alive()) {
    ports_.observer->on_syscall_exit(task, number, args, task.regs.eax);
  }
}

// Linux: exit_to_user_mode_loop: signals, then rseq, until nothing is left.
void Kernel::return_to_user(Task& task) {
  while (task.work_pending && task.state == Task::State::kRunning && task.group->stop_signal == 0) {
    task.work_pending = false;
    deliver_signals(*this, task);
    if (task.state == Task::State::kRunning && task.group->stop_signal == 0 && !rseq_before_return(task)) {
      force_signal(*this, task, Signal::kSegv);
    }
  }
}

}  // namespace fl::guest
