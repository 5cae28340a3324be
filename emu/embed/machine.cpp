// faultline::Machine: running it, and looking at it.
#include <faultline/machine.hpp>

#include "emu/cpu/block_counter.hpp"
#include "emu/dump/dump.hpp"
#include "emu/embed/embedded_machine.hpp"
#include "guest/task.hpp"
#include "vm/embed/convert.hpp"
#include "vm/info/report.hpp"
#include "vm/verify/verify.hpp"

namespace faultline {
namespace {

using fl::VirtAddr;

Registers to_public(const fl::guest::Registers& regs) {
  return {.eax = regs.eax,
          .ebx = regs.ebx,
          .ecx = regs.ecx,
          .edx = regs.edx,
          .esi = regs.esi,
          .edi = regs.edi,
          .ebp = regs.ebp,
          .esp = regs.esp,
          .eip = regs.eip,
          .eflags = regs.eflags,
          .cs = regs.cs,
          .ss = regs.ss,
          .ds = regs.ds,
          .es = regs.es,
          .fs = regs.fs,
          .gs = regs.gs};
}

TaskInfo to_public(const fl::guest::Task& task) {
  TaskInfo info;
  info.pid = task.tgid;
  info.tid = task.tid;
  info.name = task.comm;
  if (!task.alive()) {
    info.state = TaskState::kZombie;
  } else if (task.group->stop_signal != 0) {
    info.state = TaskState::kStopped;
  } else if (task.state == fl::guest::Task::State::kSleeping) {
    info.state = TaskState::kSleeping;
    info.waits_in = task.wait.reason;
  }
  info.registers = to_public(task.regs);
  info.faults = fl::embed::to_public(task.faults);
  info.system_calls = task.syscalls;
  return info;
}

// Null: there is no such task, or its memory is gone.
const fl::guest::Task* task_with_memory(const fl::embed::EmbeddedMachine& machine, uint32_t tid) {
  const fl::guest::Task* const task = machine.machine().kernel().find_task(tid);
  return task != nullptr && task->mm != nullptr ? task : nullptr;
}

}  // namespace

Result<Machine> Machine::create(const MachineOptions& options) {
  auto made = fl::embed::EmbeddedMachine::create(options);
  if (!made) {
    return fl::embed::refuse(made.error());
  }
  return Machine(std::move(*made));
}

Machine::Machine(std::unique_ptr<fl::embed::EmbeddedMachine> machine) : machine_(std::move(machine)) {}
Machine::Machine(Machine&&) noexcept = default;
Machine& Machine::operator=(Machine&&) noexcept = default;
Machine::~Machine() = default;

MachineState Machine::run() { return machine_->run_for(UINT64_MAX); }
MachineState Machine::run_blocks(uint64_t blocks) { return machine_->run_for(blocks); }
std::optional<MachineFault> Machine::run_until_fault(uint64_t blocks) { return machine_->run_until_fault(blocks); }
void Machine::stop() { machine_->stop(); }
MachineState Machine::state() const { return machine_->state(); }
std::optional<int> Machine::exit_status() const { return machine_->exit_status(); }
std::string Machine::failure() const { return machine_->failure(); }

uint64_t Machine::blocks() const { return machine_->machine().cpu().blocks(); }
uint64_t Machine::time_ns() const { return machine_->machine().now_ns(); }

std::vector<TaskInfo> Machine::tasks() const {
  std::vector<TaskInfo> tasks;
  for (const fl::guest::Task& task : machine_->machine().kernel().tasks()) {
    tasks.push_back(to_public(task));
  }
  return tasks;
}

uint32_t Machine::current_tid() const {
  const fl::guest::Task* const task = machine_->current_task();
  return task != nullptr ? task->tid : 0;
}

std::optional<Registers> Machine::registers(uint32_t tid) const {
  const fl::guest::Task* const task = machine_->machine().kernel().find_task(tid);
  return task != nullptr ? std::optional(to_public(task->regs)) : std::nullopt;
}

size_t Machine::read_memory(uint32_t tid, uint32_t address, std::span<std::byte> to) const {
  const fl::guest::Task* const task = task_with_memory(*machine_, tid);
  size_t done = 0;
  while (task != nullptr && done < to.size() && address < kUserEnd && done < kUserEnd - address) {
    const VirtAddr va(address + static_cast<uint32_t>(done));
    const fl::mmu::Pte* const entry = task->mm->tables().find(va);
    if (entry == nullptr || !entry->present()) {
      break;
    }
    const size_t part = std::min<size_t>(to.size() - done, kPageSize - va.page_offset());
    const std::byte* const from = machine_->machine().memory().ram().physical(entry->pfn()) + va.page_offset();
    std::copy_n(from, part, to.begin() + static_cast<ptrdiff_t>(done));
    done += part;
  }
  return done;
}

std::optional<Walk> Machine::walk(uint32_t tid, uint32_t address) const {
  const fl::guest::Task* const task = task_with_memory(*machine_, tid);
  if (task == nullptr) {
    return std::nullopt;
  }
  const VirtAddr va(address);
  Walk walk = fl::embed::read_steps(machine_->machine().memory().ram(), task->mm->tables().directory(), va);
  fl::embed::add_outcome(walk, fl::embed::peek(walk, va), va);
  return walk;
}

std::string Machine::maps(uint32_t tid) const {
  const fl::guest::Task* const task = task_with_memory(*machine_, tid);
  if (task == nullptr) {
    return {};
  }
  const std::string text = fl::emu::dump_maps({task->tgid, task->comm}, *task->mm);
  return text.substr(text.find('\n') + 1);  // without the heading
}

MachineStatistics Machine::statistics() const {
  const fl::emu::RunStatistics counted = machine_->statistics();
  MachineStatistics statistics;
  statistics.faults = fl::embed::to_public(counted.faults);
  for (const fl::emu::ProcessStatistics& process : counted.processes) {
    statistics.processes.push_back({.pid = process.pid,
                                    .name = process.comm,
                                    .minor = process.minflt,
                                    .major = process.majflt,
                                    .system_calls = process.syscalls,
                                    .exit_status = process.exit_status});
  }
  statistics.blocks = counted.blocks;
  statistics.system_calls = counted.syscalls;
  statistics.time_ns = counted.virtual_ns;
  statistics.ram_frames = counted.ram_frames;
  statistics.peak_frames = counted.peak_frames;
  statistics.swapped_in = counted.swap_ins;
  statistics.swapped_out = counted.swap_outs;
  return statistics;
}

std::string Machine::statistics_text() const { return fl::emu::format_statistics(machine_->statistics()); }
std::string Machine::statistics_json() const { return fl::emu::statistics_json(machine_->statistics()); }

Result<std::string> Machine::report(std::string_view name) const {
  const fl::vm::MemoryReport* const found = fl::vm::find_memory_report(name);
  if (found == nullptr) {
    return fl::embed::refuse("report", fl::Errno::kEINVAL);
  }
  return found->text(machine_->machine().memory());
}

std::vector<std::string> Machine::boot_log() const { return machine_->machine().memory().boot_log(); }
std::vector<std::string> Machine::verify() const { return fl::vm::verify(machine_->machine().memory()); }

Status Machine::close_trace() {
  const fl::emu::HostStatus closed = machine_->close_trace();
  return closed ? Status{} : Status(fl::embed::refuse(closed.error()));
}

std::vector<std::string> Machine::find_leaks() { return machine_->find_leaks(); }
std::string Machine::interposition() { return fl::emu::describe_interposition(); }

}  // namespace faultline
