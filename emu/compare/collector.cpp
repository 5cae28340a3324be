// Numbering tasks, areas and names as they appear.
#include "emu/compare/collector.hpp"

#include <algorithm>

#include "emu/cpu/decode.hpp"
#include "guest/task.hpp"
#include "mmu/base/check.hpp"

namespace fl::emu {

const std::string& OurRun::area_name(const OurFault& fault) const {
  static const std::string kNone;
  return fault.area == kNoIndex ? kNone : names[areas[fault.area].name];
}

Collector::Collector(const mmu::Mmu& mmu, const vm::KernelProfile& profile, const std::string& root)
    : mmu_(mmu), symbols_(root, profile) {
  // The first program is loaded before there is a task.
  run_.processes.emplace_back();
  children_.push_back(0);
}

// Places are never taken from a task's parent, who may have ended: the first task is the only one without a birth.
Collector::Place Collector::place_of(const guest::Task* task) {
  if (task == nullptr) {
    return {};
  }
  if (task->tid == last_tid_) [[likely]] {
    return last_place_;
  }
  const auto known = places_.find(task->tid);
  if (known == places_.end()) {
    FL_CHECK(places_.empty());
    run_.processes.front().pid = task->tgid;
    places_.emplace(task->tid, Place{});
  }
  last_tid_ = task->tid;
  last_place_ = known != places_.end() ? known->second : Place{};
  return last_place_;
}

void Collector::on_clone(const guest::Task& parent, const guest::Task& child) {
  const Place from = place_of(&parent);
  Place place{from.process, 0};
  if (child.tgid == parent.tgid) {
    place.task = run_.processes[from.process].tasks++;
  } else {
    place.process = static_cast<uint32_t>(run_.processes.size());
    OurProcess process;
    process.parent = static_cast<int32_t>(from.process);
    process.child = children_[from.process]++;
    process.pid = child.tgid;
    run_.processes.push_back(process);
    children_.push_back(0);
  }
  places_.insert_or_assign(child.tid, place);
  last_tid_ = 0;
}

uint32_t Collector::name_of(std::string_view name) {
  const auto [entry, added] = names_.try_emplace(std::string(name), static_cast<uint32_t>(run_.names.size()));
  if (added) {
    run_.names.emplace_back(name);
  }
  return entry->second;
}

uint32_t Collector::area_of(const vm::VmArea& area) {
  const TraceArea described = describe_area(area);
  const auto same = [&](const OurArea& other) {
    return other.start == described.start.value() && other.end == described.end.value() &&
           other.perm == described.perm && other.pgoff == described.pgoff &&
           std::string_view(run_.names[other.name]) == described.name;
  };
  if (last_area_ != kNoIndex && same(run_.areas[last_area_])) [[likely]] {
    return last_area_;
  }
  // Faults go back and forth between few areas; only the latest are looked at, twice the same does no harm.
  constexpr size_t kLatest = 32;
  const size_t first = run_.areas.size() > kLatest ? run_.areas.size() - kLatest : 0;
  for (size_t i = run_.areas.size(); i-- > first;) {
    if (same(run_.areas[i])) {
      last_area_ = static_cast<uint32_t>(i);
      return last_area_;
    }
  }
  last_area_ = static_cast<uint32_t>(run_.areas.size());
  run_.areas.push_back({.start = described.start.value(),
                        .end = described.end.value(),
                        .perm = described.perm,
                        .name = name_of(described.name),
                        .pgoff = described.pgoff});
  return last_area_;
}

void Collector::add_code(const guest::Task& task, const vm::FaultRecord& record, OurFault& fault) {
  // An execve makes faults in an address space that is not the task's yet.
  if (task.mm == nullptr || (record.vma != nullptr && record.vma->mm != task.mm.get())) {
    return;
  }
  const VirtAddr ip(task.regs.eip);
  fault.ip = ip.value();
  if (record.mode == vm::FaultMode::kUser) {
    const InstructionBytes instruction = InstructionBytes::read(mmu_, ip);
    fault.code_bytes = static_cast<uint8_t>(instruction.bytes().size());
    std::copy(instruction.bytes().begin(), instruction.bytes().end(), fault.code.begin());
  }
  const vm::VmArea* code = record.vma != nullptr && record.vma->contains(ip) ? record.vma : task.mm->areas().lookup(ip);
  if (code == nullptr) {
    return;
  }
  const SymbolName symbol = symbols_.lookup(*code, ip);
  if (symbol.name.empty()) {
    return;
  }
  const auto [entry, added] = symbol_names_.try_emplace(symbol.name.data(), 0);
  if (added) {
    entry->second = name_of(symbol.name);
  }
  fault.symbol = entry->second;
  fault.symbol_offset = symbol.offset;
}

void Collector::on_fault(const vm::FaultRecord& record) {
  FL_CHECK(context_ != nullptr);
  if (!record.counted()) {
    ++run_.refused;
    return;
  }
  const guest::Task* task = context_->current_task();
  const Place place = place_of(task);
  OurFault& fault = run_.faults.emplace_back();
  fault.process = place.process;
  fault.task = place.task;
  fault.mode = record.mode;
  fault.access = record.access;
  fault.cause = record.cause;
  fault.major = record.major();
  fault.addr = record.addr.value();
  fault.around_from = record.around.from.value();
  fault.around_to = record.around.to.value();
  fault.around_mapped = record.around.mapped;
  if (record.vma != nullptr) {
    fault.area = area_of(*record.vma);
  }
  if (task != nullptr) {
    add_code(*task, record, fault);
  }
}

OurRun Collector::finish(std::span<const ProcessStatistics> processes, const vm::FaultCounters& totals) {
  run_.minflt = totals.minor;
  run_.majflt = totals.major;
  for (const ProcessStatistics& counted : processes) {
    const auto known = places_.find(counted.pid);
    if (known == places_.end()) {
      continue;  // not even the first program's loading faulted
    }
    OurProcess& process = run_.processes[known->second.process];
    process.minflt = counted.minflt;
    process.majflt = counted.majflt;
    process.comm = name_of(counted.comm);
    process.exit_status = counted.exit_status.value_or(-1);
  }
  return std::move(run_);
}

}  // namespace fl::emu
