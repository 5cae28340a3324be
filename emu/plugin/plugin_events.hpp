// PluginEvents: hears of everything that happens in the machine and makes plugin events of it.
//
// At rest, so that they are told at once: before and after a fault, system calls, signals, tasks, and all that the
// processor does. In the middle of the kernel's work, so that they wait (EventHub::defer): areas, pages, swap, reclaim.
#pragma once

#include <algorithm>

#include "emu/cpu/cpu_probe.hpp"
#include "emu/machine/machine.hpp"
#include "emu/plugin/event_hub.hpp"
#include "guest/kernel.hpp"
#include "vm/memory_event.hpp"
#include "vm/memory_probe.hpp"

namespace fl::emu {

class PluginEvents final : public vm::MemoryProbe, public CpuProbe, public guest::KernelObserver, public RestListener {
 public:
  explicit PluginEvents(EventHub& hub) : hub_(hub) {}
  // What somebody wants to hear of.
  uint32_t memory_points() const;
  uint32_t cpu_points() const;
  bool wants_kernel() const { return hub_.wants_any(FAULTLINE_FORK, FAULTLINE_SYSCALL_EXIT); }
  bool wants_rest() const { return hub_.wants_any(FAULTLINE_VMA_MADE, FAULTLINE_OOM_KILL); }
  // Null: there is none any more.
  void set_machine(Machine* machine) { machine_ = machine; }
  // Never less than it was. (The processor takes back the block that a store to code has broken off, until the rest of
  // it goes on.)
  uint64_t now_ns() { return last_ns_ = std::max(last_ns_, machine_->now_ns()); }
  // An event without more to it, told at once.
  void tell_plain(uint32_t kind);

  // vm::MemoryProbe
  void on_fault_begin(const vm::AddressSpace& mm, VirtAddr addr, mmu::Access access, uint32_t error_code,
                      vm::FaultMode mode, mmu::Pte pte) override;
  void on_fault_end(const vm::AddressSpace& mm, const vm::FaultRecord& record) override;
  void on_area(const vm::AddressSpace& mm, const vm::AreaShape& area, vm::AreaChange change) override;
  void on_page(Pfn first, uint32_t order, bool allocated) override;
  void on_mapping(const vm::VmArea& area, VirtAddr va, Pfn pfn, bool mapped) override;
  void on_swap_in(Pfn pfn, vm::SwapEntry entry, bool ahead) override;
  void on_event(const vm::MemoryEvent& event) override;
  // CpuProbe
  void on_fill(VirtAddr page, mmu::Access access, mmu::Pte pte) override;
  void on_flush() override;
  void on_block(VirtAddr eip, uint32_t bytes) override;
  void on_access(VirtAddr addr, uint32_t bytes, mmu::Access access, PhysAddr physical) override;
  // guest::KernelObserver
  void on_syscall_enter(const guest::Task& task, uint32_t number, const guest::SyscallArgs& args) override;
  void on_syscall_exit(const guest::Task& task, uint32_t number, const guest::SyscallArgs& args,
                       uint32_t result) override;
  void on_signal(const guest::Task& task, const guest::SignalInfo& info) override;
  void on_clone(const guest::Task& parent, const guest::Task& child) override;
  void on_exec(const guest::Task& task) override;
  void on_exit(const guest::Task& task) override;
  // RestListener
  void on_rest() override;

 private:
  // At --verify 2 the machine that a plugin is about to see is checked.
  void verify() const;
  // With the task that the kernel works for, or the one that is named.
  EventHead head(uint32_t kind);
  EventHead head(uint32_t kind, const guest::Task* task);
  // If somebody wants it.
  template <typename Payload>
  void tell_of_task(uint32_t kind, const guest::Task& task, const Payload& payload);
  void tell_syscall(uint32_t kind, const guest::Task& task, uint32_t number, const guest::SyscallArgs& args,
                    uint32_t result);

  EventHub& hub_;
  Machine* machine_ = nullptr;
  uint64_t last_ns_ = 0;
};

}  // namespace fl::emu
