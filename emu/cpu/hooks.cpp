// The callbacks for exceptions, blocks and hooked instructions. They record or answer, and never run kernel code.
#include "emu/cpu/unicorn_cpu.hpp"

namespace fl::emu {
namespace {
constexpr uint32_t kPrefixOperandSize = 0x66, kPushf = 0x9c, kPopf = 0x9d;
}

void UnicornCpu::stop_engine(Stop reason) {
  stop_ = reason;
  // Both: the engine looks at its own request between blocks, chained blocks only at the gate.
  fl_block_gate.limit = 0;
  uc_emu_stop(uc_);
}

void UnicornCpu::interrupt_hook(uc_engine* /*uc*/, uint32_t vector, void* self) {
  auto& cpu = *static_cast<UnicornCpu*>(self);
  if (cpu.stop_ != Stop::kNone) {
    return;
  }
  if (cpu.stepping_ && vector == static_cast<uint32_t>(guest::Vector::kDebug)) {
    cpu.on_step();
    return;
  }
  cpu.vector_ = vector;
  cpu.stop_engine(Stop::kVector);
}

// One instruction of a block that runs into a missing page was executed (see UnicornCpu::reads_ahead).
void UnicornCpu::on_step() {
  ++statistics_.stepped;
  guest::Registers regs;
  read_registers(regs);
  const VirtAddr last = step_eip_;
  step_eip_ = VirtAddr(regs.eip);

  const uint8_t* code = user_byte(last);
  uint32_t opcode = code != nullptr ? *code : 0u;
  if (opcode == kPrefixOperandSize) {
    const uint8_t* next = user_byte(last + 1);
    opcode = next != nullptr ? *next : 0u;
  }
  if (opcode == kPushf) {
    // Our trap flag is not the program's: out of the pushed flags with it (bit 8 = bit 0 of the second byte).
    uint8_t* pushed = user_byte(VirtAddr(regs.esp) + 1);
    if (pushed != nullptr) {
      *pushed = static_cast<uint8_t>(*pushed & ~1u);
    }
  }
  const bool straight_on = regs.eip - last.value() <= kMaxInstructionBytes;
  if (unwatched_ || opcode == kPopf || !straight_on || step_eip_.page() != stepping_from_) {
    stop_engine(Stop::kStepped);
  }
}

void UnicornCpu::block_hook(uc_engine* /*uc*/, uint64_t /*address*/, uint32_t /*size*/, void* self) {
  auto& cpu = *static_cast<UnicornCpu*>(self);
  // The interposed counter counts too, if it is linked in: count apart from it.
  if (++cpu.hook_blocks_ >= cpu.hook_limit_ || cpu.stop_requested_.load(std::memory_order_relaxed)) {
    cpu.hook_limit_ = 0;
    // With interposed counting linked in, only the gate lets the engine look at its own request.
    fl_block_gate.limit = 0;
    uc_emu_stop(cpu.uc_);
  }
}

int UnicornCpu::cpuid_hook(uc_engine* uc, void* self) {
  const auto& cpu = *static_cast<UnicornCpu*>(self);
  uint32_t leaf = 0, subleaf = 0;
  uc_reg_read(uc, UC_X86_REG_EAX, &leaf);
  uc_reg_read(uc, UC_X86_REG_ECX, &subleaf);
  const CpuidResult result = cpu.config_.model.answer(leaf, subleaf);
  uc_reg_write(uc, UC_X86_REG_EAX, &result.eax);
  uc_reg_write(uc, UC_X86_REG_EBX, &result.ebx);
  uc_reg_write(uc, UC_X86_REG_ECX, &result.ecx);
  uc_reg_write(uc, UC_X86_REG_EDX, &result.edx);
  return 1;  // done: skip the instruction
}

int UnicornCpu::tsc_hook(uc_engine* uc, void* self) {
  auto& cpu = *static_cast<UnicornCpu*>(self);
  const uint64_t now = cpu.tsc_source_ ? cpu.tsc_source_() : cpu.blocks();
  const uint32_t low = static_cast<uint32_t>(now), high = static_cast<uint32_t>(now >> 32);
  uc_reg_write(uc, UC_X86_REG_EAX, &low);
  uc_reg_write(uc, UC_X86_REG_EDX, &high);
  return 1;
}

int UnicornCpu::tscp_hook(uc_engine* uc, void* self) {
  const uint32_t processor = 0;
  uc_reg_write(uc, UC_X86_REG_ECX, &processor);
  return tsc_hook(uc, self);
}

void UnicornCpu::fast_call_hook(uc_engine* /*uc*/, void* self) {
  auto& cpu = *static_cast<UnicornCpu*>(self);
  cpu.stop_engine(Stop::kFastCall);
}

}  // namespace fl::emu
