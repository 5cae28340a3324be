// Telling a CpuProbe of blocks and accesses.
//
// Each is told once, when it happens. The engine calls the hook of a block before the gate may close at its start; then
// it comes again in the next run. The hook of an access comes after the translation was found, so not for what is
// refused.
#include "emu/cpu/unicorn_cpu.hpp"
#include "mmu/base/check.hpp"

namespace fl::emu {

void UnicornCpu::set_probe(CpuProbe* probe, uint32_t points) {
  for (const uc_hook hook : probe_hooks_) {
    uc_hook_del(uc_, hook);
  }
  probe_hooks_.clear();
  probe_ = probe;
  probe_points_ = probe != nullptr ? points : 0;
  const auto add = [this](int type, void* callback) {
    uc_hook hook;
    FL_CHECK(uc_hook_add(uc_, &hook, type, callback, this, 1, 0) == UC_ERR_OK, "probe hook");
    probe_hooks_.push_back(hook);
  };
  if ((probe_points_ & CpuProbe::kBlocks) != 0) {
    add(UC_HOOK_BLOCK, reinterpret_cast<void*>(&probe_block_hook));
  }
  if ((probe_points_ & CpuProbe::kAccesses) != 0) {
    add(UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, reinterpret_cast<void*>(&probe_access_hook));
  }
  // Code that was translated before does not know of the hooks, or does.
  FL_CHECK(uc_ctl_flush_tb(uc_) == UC_ERR_OK, "translated code");
}

void UnicornCpu::probe_block_hook(uc_engine* /*uc*/, uint64_t address, uint32_t bytes, void* self) {
  auto& cpu = *static_cast<UnicornCpu*>(self);
  const VirtAddr eip(static_cast<uint32_t>(address));
  if (cpu.phase_ != Phase::kRunning || cpu.stop_ != Stop::kNone) {
    return;
  }
  const bool gate_closes = cpu.count_by_hook_ ? cpu.hook_limit_ == 0 : fl_block_gate.blocks + 1 >= fl_block_gate.limit;
  if (gate_closes) {
    return;
  }
  // Steps before a missing page are parts of one block; the rest of a block whose code was dropped is no other one.
  if (cpu.resumed_block_ || (cpu.stepping_ && eip != cpu.step_first_)) {
    cpu.resumed_block_ = false;
    return;
  }
  cpu.probe_->on_block(eip, bytes);
}

// The engine tells of a physical address. Which page it is, the translations say that it was given since the last
// flush: usually there is one.
void UnicornCpu::note_translation(FrameState& frame, VirtAddr page) {
  if (frame.page_epoch != epoch_) {
    frame.page_epoch = epoch_;
    frame.page = page;
    frame.aliased = false;
  } else if (frame.page != page) {
    frame.page = page;
    frame.aliased = true;
  }
}

// Of a frame that has several (the zero page): the instruction's operand that leads there.
VirtAddr UnicornCpu::accessed_page(Pfn pfn, uint32_t offset) {
  const guest::Registers regs = registers();
  const InstructionBytes code = InstructionBytes::read(*mmu_, VirtAddr(regs.eip));
  const Instruction& instruction = decoder_.decode(code.bytes(), VirtAddr(regs.eip));
  for (uint8_t at = 0; at < instruction.operands; ++at) {
    const MemorySpan span =
        evaluate(instruction.operand[at], regs, [this](uint16_t selector) { return segment_base(selector); });
    for (const VirtAddr page : {span.addr.page(), (span.addr + (span.size - 1)).page()}) {
      const uint8_t* const byte = user_byte(page);
      if (page + offset - span.addr < span.size && byte == reinterpret_cast<const uint8_t*>(ram_->physical(pfn))) {
        return page;
      }
    }
  }
  return frames_[pfn.value()].page;
}

void UnicornCpu::probe_access_hook(uc_engine* /*uc*/, uc_mem_type type, uint64_t address, int bytes, int64_t /*value*/,
                                   void* self) {
  auto& cpu = *static_cast<UnicornCpu*>(self);
  if (cpu.phase_ != Phase::kRunning || cpu.stop_ != Stop::kNone || address >= cpu.ram_->bytes()) {
    return;
  }
  const PhysAddr physical(static_cast<uint32_t>(address));
  const FrameState& frame = cpu.frames_[physical.pfn().value()];
  if (frame.page_epoch != cpu.epoch_) {
    return;  // its translation was refused
  }
  const uint32_t offset = physical.value() & kPageOffsetMask;
  const VirtAddr page = frame.aliased ? cpu.accessed_page(physical.pfn(), offset) : frame.page;
  cpu.probe_->on_access(page + offset, static_cast<uint32_t>(bytes),
                        type == UC_MEM_WRITE ? mmu::Access::kWrite : mmu::Access::kRead, physical);
}

guest::Registers UnicornCpu::registers() {
  guest::Registers regs = loaded_;
  if (phase_ == Phase::kRunning) {
    read_registers(regs);
    regs.eflags = stepping_ ? regs.eflags & ~uint32_t{guest::Eflags::kTrap} : regs.eflags;
  }
  return regs;
}

}  // namespace fl::emu
