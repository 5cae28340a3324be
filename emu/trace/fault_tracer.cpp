// Gathering the fields of a TraceEvent.
#include "emu/trace/fault_tracer.hpp"

#include "emu/trace/trace_area.hpp"
#include "guest/task.hpp"
#include "mmu/base/check.hpp"

namespace fl::emu {
namespace {

void set_task(const guest::Task& task, TraceEvent& event) {
  event.pid = task.tgid;
  event.tid = task.tid;
  event.comm = task.comm;
}

}  // namespace

HostResult<std::unique_ptr<FaultTracer>> FaultTracer::create(const std::string& path, const mmu::Mmu& mmu,
                                                             const vm::KernelProfile& profile,
                                                             const std::string& root) {
  auto format = TraceFormat::for_path(path);
  if (!format) {
    return tl::unexpected<HostError>(std::move(format).error());
  }
  auto file = OutputFile::create(path, "trace file");
  if (!file) {
    return tl::unexpected<HostError>(std::move(file).error());
  }
  return std::unique_ptr<FaultTracer>(new FaultTracer(std::move(*file), std::move(*format), mmu, profile, root));
}

FaultTracer::FaultTracer(std::unique_ptr<OutputFile> file, std::unique_ptr<TraceFormat> format, const mmu::Mmu& mmu,
                         const vm::KernelProfile& profile, const std::string& root)
    : file_(std::move(file)), format_(std::move(format)), mmu_(mmu), symbols_(root, profile) {
  file_->append(format_->header());
}

void FaultTracer::on_fault(const vm::FaultRecord& record) {
  FL_CHECK(context_ != nullptr);
  const guest::Task* task = context_->current_task();
  if (task == nullptr) [[unlikely]] {
    hold(record);
    return;
  }
  if (!held_.empty()) [[unlikely]] {
    write_held(task);
  }
  TraceEvent event;
  event.seq = records_;
  event.time_ns = context_->now_ns();
  event.fault = &record;
  set_task(*task, event);
  event.ip = VirtAddr(task->regs.eip);
  TraceArea area;
  if (record.vma != nullptr) {
    area = describe_area(*record.vma);
    event.area = &area;
  }
  add_code(*task, record, event);
  write(event);
}

void FaultTracer::on_event(const vm::MemoryEvent& event) {
  TraceEvent trace;
  trace.seq = records_;
  trace.time_ns = context_->now_ns();
  trace.event = &event;
  if (const guest::Task* task = context_->current_task(); task != nullptr) {
    set_task(*task, trace);
  }
  write(trace);
}

void FaultTracer::add_code(const guest::Task& task, const vm::FaultRecord& record, TraceEvent& event) {
  // An execve makes faults in an address space that is not the task's yet.
  if (task.mm == nullptr || (record.vma != nullptr && record.vma->mm != task.mm.get())) {
    return;
  }
  if (record.mode == vm::FaultMode::kUser) {
    const InstructionBytes instruction = InstructionBytes::read(mmu_, event.ip);
    if (!instruction.bytes().empty()) {
      event.insn = decoder_.disassemble(instruction.bytes(), event.ip);
    }
  }
  const vm::VmArea* code =
      record.vma != nullptr && record.vma->contains(event.ip) ? record.vma : task.mm->areas().lookup(event.ip);
  if (code != nullptr) {
    const SymbolName symbol = symbols_.lookup(*code, event.ip);
    event.sym = symbol.name;
    event.sym_offset = symbol.offset;
  }
}

void FaultTracer::write(const TraceEvent& event) {
  Cursor cursor(file_->reserve(kMaxRecord));
  if (event.fault != nullptr) [[likely]] {
    format_->write(event, cursor);
  } else {
    format_->write_event(event, cursor);
  }
  file_->commit(cursor.end());
  ++records_;
  if (file_->failed()) [[unlikely]] {
    context_->on_trace_error();
  }
}

void FaultTracer::hold(const vm::FaultRecord& record) {
  Held held{.time_ns = context_->now_ns(), .record = record, .area = {}, .area_name = {}};
  if (record.vma != nullptr) {
    held.area = describe_area(*record.vma);
    held.area_name = held.area.name;
  }
  held_.push_back(std::move(held));
}

void FaultTracer::write_held(const guest::Task* task) {
  for (Held& held : held_) {
    TraceEvent event;
    event.seq = records_;
    event.time_ns = held.time_ns;
    event.fault = &held.record;
    if (task != nullptr) {
      set_task(*task, event);
    }
    held.area.name = held.area_name;
    event.area = held.record.vma != nullptr ? &held.area : nullptr;
    write(event);
  }
  held_.clear();
}

HostStatus FaultTracer::finish() {
  if (!held_.empty()) {
    write_held(context_->current_task());
  }
  return file_->close();
}

}  // namespace fl::emu
