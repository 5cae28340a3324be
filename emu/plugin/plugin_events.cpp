// From what the machine tells to the structs of faultline/plugin.h.
#include "emu/plugin/plugin_events.hpp"

#include <algorithm>
#include <array>

#include "emu/plugin/convert.hpp"
#include "guest/task.hpp"
#include "vm/verify/verify.hpp"

namespace fl::emu {
namespace {

constexpr uint8_t kNoCause = 255;

// The numbers of the header are ours.
static_assert(static_cast<int>(mmu::Access::kWrite) == FAULTLINE_WRITE &&
              static_cast<int>(mmu::Access::kFetch) == FAULTLINE_FETCH);
static_assert(static_cast<int>(vm::FaultMode::kKernel) == FAULTLINE_KERNEL &&
              static_cast<int>(vm::FaultMode::kGup) == FAULTLINE_GUP);
static_assert(static_cast<int>(vm::FaultResult::kMajor) == FAULTLINE_MAJOR &&
              static_cast<int>(vm::FaultResult::kMapErr) == FAULTLINE_SEGV_MAPERR &&
              static_cast<int>(vm::FaultResult::kAccErr) == FAULTLINE_SEGV_ACCERR &&
              static_cast<int>(vm::FaultResult::kBusErr) == FAULTLINE_BUS &&
              static_cast<int>(vm::FaultResult::kOom) == FAULTLINE_OOM);

}  // namespace

uint32_t PluginEvents::memory_points() const {
  struct Pair {
    uint32_t first, last, point;
  };
  constexpr std::array<Pair, 7> kPairs{{{FAULTLINE_FAULT_BEGIN, FAULTLINE_FAULT_BEGIN, MemoryProbe::kFaultBegin},
                                        {FAULTLINE_FAULT_END, FAULTLINE_FAULT_END, MemoryProbe::kFaultEnd},
                                        {FAULTLINE_VMA_MADE, FAULTLINE_VMA_REMOVED, MemoryProbe::kAreas},
                                        {FAULTLINE_PAGE_ALLOCATED, FAULTLINE_PAGE_FREED, MemoryProbe::kPages},
                                        {FAULTLINE_PAGE_MAPPED, FAULTLINE_PAGE_UNMAPPED, MemoryProbe::kMappings},
                                        {FAULTLINE_SWAP_IN, FAULTLINE_SWAP_IN, MemoryProbe::kSwapIn},
                                        {FAULTLINE_KSWAPD_WAKE, FAULTLINE_OOM_KILL, MemoryProbe::kEvents}}};
  uint32_t points = hub_.wants(FAULTLINE_SWAP_OUT) ? MemoryProbe::kEvents : 0u;
  for (const Pair& pair : kPairs) {
    points |= hub_.wants_any(pair.first, pair.last) ? pair.point : 0u;
  }
  return points;
}

uint32_t PluginEvents::cpu_points() const {
  return (hub_.wants(FAULTLINE_TLB_FILL) ? uint32_t{CpuProbe::kFills} : 0u) |
         (hub_.wants(FAULTLINE_TLB_FLUSH) ? uint32_t{CpuProbe::kFlushes} : 0u) |
         (hub_.wants(FAULTLINE_BLOCK) ? uint32_t{CpuProbe::kBlocks} : 0u) |
         (hub_.wants(FAULTLINE_ACCESS) ? uint32_t{CpuProbe::kAccesses} : 0u);
}

EventHead PluginEvents::head(uint32_t kind, const guest::Task* task) {
  EventHead head;
  head.kind = kind;
  head.time_ns = now_ns();
  if (task != nullptr) [[likely]] {
    head.pid = task->tgid;
    head.tid = task->tid;
  }
  return head;
}

EventHead PluginEvents::head(uint32_t kind) { return head(kind, machine_->current_task()); }

void PluginEvents::verify() const {
  vm::MemorySystem& memory = machine_->memory();
  if (memory.verify_level() == vm::VerifyLevel::kFaults) [[unlikely]] {
    const std::vector<std::string> violations = vm::verify(memory);
    FL_CHECK(violations.empty(), "{} lines, the first: {}", violations.size(), violations.front());
  }
}

void PluginEvents::on_rest() {
  if (hub_.waits()) {
    verify();
    hub_.deliver();
  }
}

void PluginEvents::tell_plain(uint32_t kind) { hub_.tell(head(kind), NoPayload{}); }

template <typename Payload>
void PluginEvents::tell_of_task(uint32_t kind, const guest::Task& task, const Payload& payload) {
  if (hub_.wants(kind)) {
    verify();
    hub_.tell(head(kind, &task), payload);
  }
}

void PluginEvents::on_fault_begin(const vm::AddressSpace& mm, VirtAddr addr, mmu::Access access, uint32_t error_code,
                                  vm::FaultMode mode, mmu::Pte pte) {
  verify();
  const guest::Task* const task = machine_->current_task();
  faultline_fault fault{};
  fault.addr = addr.value();
  fault.access = static_cast<uint8_t>(access);
  fault.mode = static_cast<uint8_t>(mode);
  fault.cause = kNoCause;
  fault.error_code = error_code;
  fault.ip = task != nullptr ? task->regs.eip : 0;
  fault.pte_before = pte.raw();
  fault.mm = mm_name(&mm);
  hub_.tell(head(FAULTLINE_FAULT_BEGIN, task), fault);
}

void PluginEvents::on_fault_end(const vm::AddressSpace& mm, const vm::FaultRecord& record) {
  verify();
  const guest::Task* const task = machine_->current_task();
  faultline_vma vma;
  faultline_fault fault{};
  fault.addr = record.addr.value();
  fault.access = static_cast<uint8_t>(record.access);
  fault.mode = static_cast<uint8_t>(record.mode);
  fault.result = static_cast<uint8_t>(record.result);
  fault.cause = static_cast<uint8_t>(record.cause);
  fault.ip = task != nullptr ? task->regs.eip : 0;
  fault.pfn = record.pfn.value();
  fault.pte_before = record.pte_before.raw();
  fault.pte_after = record.pte_after.raw();
  if (record.around.mapped != 0) {
    fault.around_from = record.around.from.value();
    fault.around_to = record.around.to.value();
    fault.around_mapped = record.around.mapped;
  }
  fault.mm = mm_name(&mm);
  if (record.vma != nullptr) {
    vma = to_named_vma(mm, *record.vma);
    fault.vma = &vma;
  }
  hub_.tell(head(FAULTLINE_FAULT_END, task), fault);
}

void PluginEvents::on_area(const vm::AddressSpace& mm, const vm::AreaShape& area, vm::AreaChange change) {
  hub_.defer(head(FAULTLINE_VMA_MADE + static_cast<uint32_t>(change)), to_vma(mm, area));
}

void PluginEvents::on_page(Pfn first, uint32_t order, bool allocated) {
  faultline_page_event page{};
  page.pfn = first.value();
  page.order = order;
  hub_.defer(head(allocated ? FAULTLINE_PAGE_ALLOCATED : FAULTLINE_PAGE_FREED), page);
}

void PluginEvents::on_mapping(const vm::VmArea& area, VirtAddr va, Pfn pfn, bool mapped) {
  faultline_page_event page{};
  page.pfn = pfn.value();
  page.addr = va.value();
  page.mm = mm_name(area.mm);
  hub_.defer(head(mapped ? FAULTLINE_PAGE_MAPPED : FAULTLINE_PAGE_UNMAPPED), page);
}

void PluginEvents::on_swap_in(Pfn pfn, vm::SwapEntry entry, bool ahead) {
  faultline_swap_event swap{};
  swap.pfn = pfn.value();
  swap.area = entry.type;
  swap.slot = entry.offset;
  swap.ahead = ahead;
  hub_.defer(head(FAULTLINE_SWAP_IN), swap);
}

void PluginEvents::on_event(const vm::MemoryEvent& event) {
  using Kind = vm::MemoryEvent::Kind;
  switch (event.kind) {
    case Kind::kKswapdWake:
    case Kind::kReclaim: {
      faultline_reclaim reclaim{};
      reclaim.scanned = event.scanned;
      reclaim.reclaimed = event.reclaimed;
      reclaim.node = event.node;
      reclaim.priority = event.priority;
      reclaim.kswapd = event.kswapd;
      return hub_.defer(head(event.kind == Kind::kReclaim ? FAULTLINE_RECLAIM : FAULTLINE_KSWAPD_WAKE), reclaim);
    }
    case Kind::kSwapOut: {
      faultline_swap_event swap{};
      swap.pfn = event.pfn.value();
      swap.area = event.swap_type;
      swap.slot = event.swap_offset;
      swap.failed = event.failed;
      return hub_.defer(head(FAULTLINE_SWAP_OUT), swap);
    }
    case Kind::kWriteback: {
      faultline_writeback writeback{};
      writeback.pfn = event.pfn.value();
      writeback.inode = event.inode;
      writeback.index = event.index;
      writeback.failed = event.failed;
      return hub_.defer(head(FAULTLINE_WRITEBACK), writeback);
    }
    case Kind::kOomKill: {
      faultline_oom oom{};
      oom.victim = event.victim;
      oom.pages = event.pages;
      return hub_.defer(head(FAULTLINE_OOM_KILL), oom);
    }
  }
}

void PluginEvents::on_fill(VirtAddr page, mmu::Access access, mmu::Pte pte) {
  faultline_tlb tlb{};
  tlb.page = page.value();
  tlb.pte = pte.raw();
  tlb.access = static_cast<uint8_t>(access);
  hub_.tell(head(FAULTLINE_TLB_FILL), tlb);
}

void PluginEvents::on_flush() { hub_.tell(head(FAULTLINE_TLB_FLUSH), faultline_tlb{}); }

void PluginEvents::on_block(VirtAddr eip, uint32_t bytes) {
  hub_.tell(head(FAULTLINE_BLOCK), faultline_block{.ip = eip.value(), .bytes = bytes});
}

void PluginEvents::on_access(VirtAddr addr, uint32_t bytes, mmu::Access access, PhysAddr physical) {
  hub_.tell(head(FAULTLINE_ACCESS), faultline_access{.addr = addr.value(),
                                                     .physical = physical.value(),
                                                     .bytes = static_cast<uint16_t>(bytes),
                                                     .access = static_cast<uint8_t>(access),
                                                     .reserved = 0});
}

void PluginEvents::tell_syscall(uint32_t kind, const guest::Task& task, uint32_t number, const guest::SyscallArgs& args,
                                uint32_t result) {
  if (hub_.wants(kind)) {
    verify();
    faultline_syscall call{};
    call.number = number;
    std::copy(args.a.begin(), args.a.end(), call.args);
    call.result = result;
    hub_.tell(head(kind, &task), call);
  }
}

void PluginEvents::on_syscall_enter(const guest::Task& task, uint32_t number, const guest::SyscallArgs& args) {
  tell_syscall(FAULTLINE_SYSCALL_ENTER, task, number, args, 0);
}

void PluginEvents::on_syscall_exit(const guest::Task& task, uint32_t number, const guest::SyscallArgs& args,
                                   uint32_t result) {
  tell_syscall(FAULTLINE_SYSCALL_EXIT, task, number, args, result);
}

void PluginEvents::on_signal(const guest::Task& task, const guest::SignalInfo& info) {
  tell_of_task(
      FAULTLINE_SIGNAL, task,
      faultline_signal{.number = info.signal, .code = info.code, .addr = info.addr.value(), .sender = info.pid});
}

void PluginEvents::on_clone(const guest::Task& parent, const guest::Task& child) {
  tell_of_task(child.tgid == parent.tgid ? FAULTLINE_CLONE : FAULTLINE_FORK, parent,
               faultline_task_event{.other_pid = child.tgid, .other_tid = child.tid, .status = 0, .reserved = 0});
}

void PluginEvents::on_exec(const guest::Task& task) { tell_of_task(FAULTLINE_EXEC, task, faultline_task_event{}); }

void PluginEvents::on_exit(const guest::Task& task) {
  tell_of_task(FAULTLINE_EXIT, task,
               faultline_task_event{.other_pid = 0, .other_tid = 0, .status = task.exit_status, .reserved = 0});
}

}  // namespace fl::emu
