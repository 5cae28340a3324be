// Gathering the fields of a TraceEvent.
#include "emu/trace/fault_tracer.hpp"

#include "emu/dump/area_name.hpp"
#include "guest/task.hpp"
#include "mmu/base/check.hpp"

namespace fl::emu {
namespace {

// As vm::permissions, without its string.
std::array<char, 4> permission_letters(const vm::VmArea& area) {
  return {area.has(vm::VmFlag::kRead) ? 'r' : '-', area.has(vm::VmFlag::kWrite) ? 'w' : '-',
          area.has(vm::VmFlag::kExec) ? 'x' : '-', area.shared() ? 's' : 'p'};
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
  TraceEvent event;
  event.seq = records_++;
  event.time_ns = context_->now_ns();
  event.fault = &record;

  const guest::Task* task = context_->current_task();
  const vm::AddressSpace* task_mm = task != nullptr ? task->mm.get() : nullptr;
  if (task != nullptr) {
    event.pid = task->tgid;
    event.tid = task->tid;
    event.comm = task->comm;
    event.ip = VirtAddr(task->regs.eip);
  }

  TraceArea area;
  if (record.vma != nullptr) {
    const vm::VmArea& vma = *record.vma;
    area.start = vma.start;
    area.end = vma.end;
    area.perm = permission_letters(vma);
    // An execve builds an address space that is not yet the task's.
    area.name = area_name(vma.mm != nullptr ? *vma.mm : *task_mm, vma);
    area.pgoff = vma.anonymous() ? 0 : vma.pgoff;
    event.area = &area;
  }

  if (task_mm != nullptr && (record.vma == nullptr || record.vma->mm == task_mm)) {
    if (record.mode == vm::FaultMode::kUser) {
      const InstructionBytes instruction = InstructionBytes::read(mmu_, event.ip);
      if (!instruction.bytes().empty()) {
        event.insn = decoder_.disassemble(instruction.bytes(), event.ip);
      }
    }
    // A fetch fault's own area is the one that holds ip; otherwise it has to be found.
    const vm::VmArea* code = record.vma != nullptr && record.vma->contains(event.ip) ? record.vma
                                                                                     : task_mm->areas().lookup(event.ip);
    if (code != nullptr) {
      const SymbolName symbol = symbols_.lookup(*code, event.ip);
      event.sym = symbol.name;
      event.sym_offset = symbol.offset;
    }
  }

  Cursor cursor(file_->reserve(kMaxRecord));
  format_->write(event, cursor);
  file_->commit(cursor.end());
  if (file_->failed()) [[unlikely]] {
    context_->on_trace_error();
  }
}

}  // namespace fl::emu
