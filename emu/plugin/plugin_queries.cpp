// Finding what is asked for, and copying it.
#include "emu/plugin/plugin_queries.hpp"

#include <algorithm>
#include <cstring>

#include "emu/plugin/convert.hpp"
#include "emu/plugin/plugin_host.hpp"
#include "guest/task.hpp"

namespace fl::emu {
namespace {

// As much as the caller's struct has.
template <typename Struct>
int give(const Struct& from, Struct* to) {
  const uint32_t size = std::min<uint32_t>(to->size, sizeof from);
  if (size <= sizeof to->size) {
    return -FAULTLINE_EINVAL;
  }
  std::memcpy(reinterpret_cast<char*>(to) + sizeof to->size, reinterpret_cast<const char*>(&from) + sizeof from.size,
              size - sizeof from.size);
  return 0;
}

const guest::Task* find_task(Machine& machine, uint32_t tid) {
  return tid == 0 ? machine.current_task() : machine.kernel().find_task(tid);
}

// The task's memory; null: it has none, or is none.
vm::AddressSpace* find_mm(faultline_plugin* self, uint32_t tid) {
  Machine* const machine = self->host->machine();
  const guest::Task* const task = machine != nullptr ? find_task(*machine, tid) : nullptr;
  return task != nullptr ? task->mm.get() : nullptr;
}

int no_memory(const faultline_plugin* self) {
  return self->host->machine() == nullptr ? -FAULTLINE_EAGAIN : -FAULTLINE_ESRCH;
}

int give_area(const vm::AddressSpace& mm, const vm::VmArea* area, faultline_vma* out) {
  return area == nullptr ? -FAULTLINE_ENOENT : give(to_named_vma(mm, *area), out);
}

}  // namespace

uint64_t query_now(faultline_plugin* self) { return self->host->now_ns(); }

int query_registers(faultline_plugin* self, uint32_t tid, faultline_registers* out) {
  Machine* const machine = self->host->machine();
  const guest::Task* const task = machine != nullptr ? find_task(*machine, tid) : nullptr;
  if (task == nullptr) {
    return no_memory(self);
  }
  const bool in_processor = task == machine->current_task() && machine->cpu().holds_registers();
  return give(to_registers(in_processor ? machine->cpu().registers() : task->regs), out);
}

uint32_t query_virtual(faultline_plugin* self, uint32_t tid, uint32_t addr, void* to, uint32_t bytes) {
  const vm::AddressSpace* const mm = find_mm(self, tid);
  uint32_t done = 0;
  while (mm != nullptr && done < bytes) {
    const VirtAddr at(addr + done);
    if (at.value() < addr || mmu::is_kernel_address(at)) {
      break;
    }
    const mmu::Pte* const pte = mm->tables().find(at);
    if (pte == nullptr || !pte->hw_present()) {
      break;
    }
    const uint32_t part = std::min(kPageSize - at.page_offset(), bytes - done);
    std::memcpy(static_cast<char*>(to) + done,
                self->host->machine()->memory().ram().physical(pte->pfn()) + at.page_offset(), part);
    done += part;
  }
  return done;
}

uint32_t query_physical(faultline_plugin* self, uint32_t physical, void* to, uint32_t bytes) {
  Machine* const machine = self->host->machine();
  if (machine == nullptr) {
    return 0;
  }
  const mmu::Ram& ram = machine->memory().ram();
  const uint64_t left = ram.bytes() - std::min<uint64_t>(physical, ram.bytes());
  const auto part = static_cast<uint32_t>(std::min<uint64_t>(left, bytes));
  if (part != 0) {
    std::memcpy(to, ram.data() + physical, part);
  }
  return part;
}

int query_walk(faultline_plugin* self, uint32_t tid, uint32_t addr, faultline_walk* out) {
  const vm::AddressSpace* const mm = find_mm(self, tid);
  return mm == nullptr ? no_memory(self) : give(to_walk(*mm, VirtAddr(addr)), out);
}

int query_vma(faultline_plugin* self, uint32_t tid, uint32_t addr, faultline_vma* out) {
  const vm::AddressSpace* const mm = find_mm(self, tid);
  return mm == nullptr ? no_memory(self) : give_area(*mm, mm->areas().lookup(VirtAddr(addr)), out);
}

int query_vma_from(faultline_plugin* self, uint32_t tid, uint32_t addr, faultline_vma* out) {
  const vm::AddressSpace* const mm = find_mm(self, tid);
  return mm == nullptr ? no_memory(self) : give_area(*mm, mm->areas().find(VirtAddr(addr)), out);
}

int query_page(faultline_plugin* self, uint32_t pfn, faultline_page* out) {
  Machine* const machine = self->host->machine();
  if (machine == nullptr) {
    return -FAULTLINE_EAGAIN;
  }
  vm::MemorySystem& memory = machine->memory();
  return pfn >= memory.mem_map().size() ? -FAULTLINE_ENOENT : give(to_page(memory, Pfn(pfn)), out);
}

int query_page_at(faultline_plugin* self, uint32_t tid, uint32_t addr, faultline_page* out) {
  const vm::AddressSpace* const mm = find_mm(self, tid);
  if (mm == nullptr) {
    return no_memory(self);
  }
  const mmu::Pte* const pte = mmu::is_kernel_address(VirtAddr(addr)) ? nullptr : mm->tables().find(VirtAddr(addr));
  return pte == nullptr || !pte->present() ? -FAULTLINE_ENOENT : query_page(self, pte->pfn().value(), out);
}

int query_counters(faultline_plugin* self, faultline_counters* out) {
  Machine* const machine = self->host->machine();
  if (machine == nullptr) {
    return -FAULTLINE_EAGAIN;
  }
  vm::MemorySystem& memory = machine->memory();
  const vm::PageAllocator& pages = memory.pages();
  const auto event = [&pages](vm::VmEvent item) { return static_cast<uint64_t>(pages.events()[item]); };
  faultline_counters counters{};
  counters.ram_frames = memory.ram().frames();
  counters.minor_faults = memory.faults().minor;
  counters.major_faults = memory.faults().major;
  counters.free_frames = pages.free_frames();
  counters.used_frames = pages.managed_frames() - pages.free_frames();
  counters.peak_frames = pages.peak_used();
  counters.page_table_frames = pages.table_frames();
  counters.swap_ins = event(vm::VmEvent::kPswpin);
  counters.swap_outs = event(vm::VmEvent::kPswpout);
  counters.pages_scanned = event(vm::VmEvent::kPgscanAnon) + event(vm::VmEvent::kPgscanFile);
  counters.pages_reclaimed = event(vm::VmEvent::kPgstealAnon) + event(vm::VmEvent::kPgstealFile);
  counters.oom_kills = event(vm::VmEvent::kOomKill);
  counters.syscalls = machine->kernel().total_syscalls();
  counters.blocks = machine->cpu().blocks();
  counters.tlb_fills = machine->cpu().fills();
  counters.tlb_flushes = machine->cpu().statistics().flushes;
  return give(counters, out);
}

int query_task(faultline_plugin* self, uint32_t tid, faultline_task* out) {
  Machine* const machine = self->host->machine();
  const guest::Task* const task = machine != nullptr ? find_task(*machine, tid) : nullptr;
  return task == nullptr ? no_memory(self) : give(to_task(*task, machine->current_task()), out);
}

int query_next_task(faultline_plugin* self, uint32_t after_tid, faultline_task* out) {
  Machine* const machine = self->host->machine();
  if (machine == nullptr) {
    return -FAULTLINE_EAGAIN;
  }
  const guest::TaskTable& tasks = machine->kernel().tasks();
  const auto next = tasks.upper_bound(after_tid);
  return next == tasks.end() ? -FAULTLINE_ENOENT : give(to_task(*next, machine->current_task()), out);
}

}  // namespace fl::emu
