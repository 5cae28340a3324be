// Evaluating memory operands with the registers of a fault, and choosing the one that a processor would have reported.
#include <algorithm>

#include "emu/cpu/decode.hpp"

namespace fl::emu {
uint32_t register_value(const guest::Registers& regs, int8_t reg) {
  switch (reg) {
    case MemoryOperand::kEax:
      return regs.eax;
    case MemoryOperand::kEcx:
      return regs.ecx;
    case MemoryOperand::kEdx:
      return regs.edx;
    case MemoryOperand::kEbx:
      return regs.ebx;
    case MemoryOperand::kEsp:
      return regs.esp;
    case MemoryOperand::kEbp:
      return regs.ebp;
    case MemoryOperand::kEsi:
      return regs.esi;
    case MemoryOperand::kEdi:
      return regs.edi;
    default:
      return 0;
  }
}

namespace {

uint16_t selector_of(const guest::Registers& regs, MemoryOperand::Segment segment) {
  switch (segment) {
    case MemoryOperand::kCs:
      return regs.cs;
    case MemoryOperand::kSs:
      return regs.ss;
    case MemoryOperand::kEs:
      return regs.es;
    case MemoryOperand::kFs:
      return regs.fs;
    case MemoryOperand::kGs:
      return regs.gs;
    case MemoryOperand::kDs:
      break;
  }
  return regs.ds;
}

// The bit offset is a signed number of bits; the processor accesses the operand-sized unit that holds the bit.
uint32_t bit_string_offset(const MemoryOperand& operand, const guest::Registers& regs) {
  const uint32_t raw = register_value(regs, operand.bit_register);
  if (operand.size == 2) {
    return static_cast<uint32_t>((static_cast<int32_t>(static_cast<int16_t>(raw)) >> 4) * 2);
  }
  return static_cast<uint32_t>((static_cast<int32_t>(raw) >> 5) * 4);
}

// The first byte of the operand that may not be accessed so.
std::optional<ExactFault> first_miss(VirtAddr addr, uint32_t size, mmu::Access access, const PageProbe& may_access) {
  const VirtAddr last = addr + (size - 1);
  if (!may_access(addr.page(), access)) {
    return ExactFault{addr, access};
  }
  if (!may_access(last.page(), access)) {
    return ExactFault{last.page(), access};
  }
  return std::nullopt;
}

// The engine stores the registers of pusha from the lowest address upwards; a processor pushes them.
std::optional<ExactFault> first_failing_push(const MemorySpan& span, const PageProbe& may_access) {
  for (uint32_t end = span.size; end != 0; end -= span.element) {
    const VirtAddr slot = span.addr + (end - span.element);
    if (const auto miss = first_miss(slot, span.element, mmu::Access::kWrite, may_access)) {
      return miss;
    }
  }
  return std::nullopt;
}

bool reads(OperandUse use) { return use != OperandUse::kWrite; }
bool writes(OperandUse use) { return use != OperandUse::kRead; }

}  // namespace

bool MemorySpan::touches_page(VirtAddr page) const {
  const uint32_t before = page - addr.page();
  // The last byte, also of a span that wraps.
  const uint32_t last = (addr + (size - 1)).page() - addr.page();
  return before <= last;
}

MemorySpan evaluate(const MemoryOperand& operand, const guest::Registers& regs, const SegmentBase& segment_base) {
  uint32_t offset = register_value(regs, operand.base) + register_value(regs, operand.index) * operand.scale +
                    static_cast<uint32_t>(operand.displacement);
  if (operand.form == AddressForm::kBitString) {
    offset += bit_string_offset(operand, regs);
  } else if (operand.form == AddressForm::kTableLookup) {
    offset += regs.eax & 0xff;
  }
  if (operand.address16) {
    offset &= 0xffff;
  }
  const uint32_t base = segment_base(selector_of(regs, operand.segment));
  const bool wraps = !operand.address16 && offset + (operand.size - 1) < offset;
  return MemorySpan{VirtAddr(base + offset), operand.size, operand.use, wraps, operand.segment == MemoryOperand::kSs,
                    operand.element};
}

std::optional<ExactFault> exact_fault(const Instruction& instruction, const guest::Registers& regs,
                                      const SegmentBase& segment_base, VirtAddr missed, mmu::Access access,
                                      const PageProbe& may_access, ModifyAccess modify) {
  std::optional<MemorySpan> chosen;
  const auto consider = [&](const MemorySpan& span, bool kind_fits) {
    if (!chosen && kind_fits && span.touches_page(missed.page())) {
      chosen = span;
    }
  };
  std::array<MemorySpan, Instruction::kMaxOperands> spans;
  for (uint8_t at = 0; at < instruction.operands; ++at) {
    spans[at] = evaluate(instruction.operand[at], regs, segment_base);
    consider(spans[at], access == mmu::Access::kWrite ? writes(spans[at].use) : reads(spans[at].use));
  }
  for (uint8_t at = 0; at < instruction.operands; ++at) {
    consider(spans[at], true);
  }
  if (!chosen) {
    return std::nullopt;
  }
  if (chosen->wraps) {
    return ExactFault{chosen->addr, access,
                      chosen->on_stack ? ExactFault::Limit::kViolatedOnStack : ExactFault::Limit::kViolated};
  }
  const bool like_tcg = modify == ModifyAccess::kReadThenWrite;
  if (chosen->element != 0 && !like_tcg) {
    return first_failing_push(*chosen, may_access);
  }
  if (instruction.repeated_compare && !like_tcg && access == mmu::Access::kRead) {
    // Measured: cmps reads es:[edi] first, as the engine does, but rep cmps reads [esi] first.
    if (const auto source = first_miss(spans[0].addr, spans[0].size, access, may_access)) {
      return source;
    }
  }
  const bool modifies = chosen->use == OperandUse::kReadWrite && !like_tcg;
  const mmu::Access reported = modifies ? mmu::Access::kWrite : access;
  const VirtAddr first_page = chosen->addr.page();
  if (missed.page() == first_page) {
    return ExactFault{chosen->addr, reported};
  }
  // The operand crosses into the missed page. The engine has read the first page; a processor wants to write it first.
  if (modifies && !may_access(first_page, mmu::Access::kWrite)) {
    return ExactFault{chosen->addr, mmu::Access::kWrite};
  }
  return ExactFault{missed.page(), reported};
}

}  // namespace fl::emu
