// From what the engine says to what a processor would have pushed: exact addresses, error codes, vectors, EIP.
#include <algorithm>
#include <initializer_list>

#include "emu/cpu/unicorn_cpu.hpp"
#include "mmu/base/check.hpp"

namespace fl::emu {
namespace {

using guest::Eflags;
using guest::Trap;
using guest::Vector;

constexpr uint32_t kSystemCallVector = 0x80;
constexpr uint8_t kIntOpcode = 0xcd;
constexpr uint32_t kArithmeticFlags =
    Eflags::kCarry | Eflags::kParity | Eflags::kAdjust | Eflags::kZero | Eflags::kSign | Eflags::kOverflow;
// Error code of a #GP for a gate: (vector << 3) + "in the IDT".
constexpr uint32_t gate_error(uint32_t vector) { return vector << 3 | 2; }

Trap fault(guest::Registers& regs, Vector vector, uint32_t error_code = 0) {
  // Faults, unlike traps, save EFLAGS with RF set (Intel SDM vol. 3, 17.3.1.1).
  regs.eflags |= Eflags::kResume;
  return Trap{.kind = Trap::Kind::kException, .error_code = error_code, .vector = static_cast<uint8_t>(vector)};
}

}  // namespace

uint8_t* UnicornCpu::user_byte(VirtAddr va) const {
  if (mmu::is_kernel_address(va)) {
    return nullptr;
  }
  const auto* directory = reinterpret_cast<const mmu::Pte*>(ram_->physical(mmu_->cr3()));
  const mmu::Pte pde = directory[mmu::pgd_index(va)];
  if (!pde.hw_present() || pde.large()) {
    return nullptr;
  }
  const mmu::Pte pte = reinterpret_cast<const mmu::Pte*>(ram_->physical(pde.pfn()))[mmu::pte_index(va)];
  return pte.hw_present() ? reinterpret_cast<uint8_t*>(ram_->physical(pte.pfn())) + va.page_offset() : nullptr;
}

uint32_t UnicornCpu::user_half(VirtAddr va) const {
  const uint8_t* low = user_byte(va);
  const uint8_t* high = user_byte(va + 1);
  return low != nullptr && high != nullptr ? uint32_t{*low} | uint32_t{*high} << 8 : 0u;
}

bool UnicornCpu::may_access(VirtAddr page, mmu::Access access) const {
  if (mmu::is_kernel_address(page)) {
    return false;
  }
  const auto* directory = reinterpret_cast<const mmu::Pte*>(ram_->physical(mmu_->cr3()));
  const mmu::Pte pde = directory[mmu::pgd_index(page)];
  if (!pde.hw_present() || !pde.user()) {
    return false;
  }
  const mmu::Pte pte = reinterpret_cast<const mmu::Pte*>(ram_->physical(pde.pfn()))[mmu::pte_index(page)];
  const bool writable = pde.writable() && pte.writable();
  return pte.hw_present() && pte.user() && (access != mmu::Access::kWrite || writable);
}

Trap UnicornCpu::page_fault(guest::Registers& regs) {
  const VirtAddr eip(regs.eip);
  ExactFault exact{miss_.page, miss_.access};
  if (miss_.access == mmu::Access::kFetch) {
    // The first byte of the instruction, or the page that it runs into.
    exact.addr = miss_.page.page() == eip.page() ? eip : miss_.page.page();
  } else {
    const InstructionBytes code = InstructionBytes::read(*mmu_, eip);
    const Instruction& instruction = decoder_.decode(code.bytes(), eip);
    if (instruction.port_io) {
      // The right to use ports is checked before memory.
      return fault(regs, Vector::kGeneralProtection);
    }
    const std::optional<ExactFault> found = exact_fault(
        instruction, regs, [this](uint16_t selector) { return segment_base(selector); }, miss_.page, miss_.access,
        [this](VirtAddr page, mmu::Access wanted) { return may_access(page, wanted); }, config_.model.modify);
    if (found && found->limit != ExactFault::Limit::kKept) {
      return fault(regs, found->limit == ExactFault::Limit::kViolatedOnStack ? Vector::kStackSegment
                                                                             : Vector::kGeneralProtection);
    }
    if (found) {
      exact = *found;
    } else {
      ++statistics_.inexact_faults;
    }
    if (instruction.rotates_through_carry && miss_.access == mmu::Access::kWrite && fl_rotate_flags.known) {
      // The helper has rotated the flags already; see interpose_rotate.cpp.
      regs.eflags =
          (regs.eflags & ~kArithmeticFlags) | (static_cast<uint32_t>(fl_rotate_flags.before) & kArithmeticFlags);
    }
  }
  regs.eflags |= Eflags::kResume;

  const bool kernel = mmu::is_kernel_address(exact.addr) || (miss_.kernel && exact.addr.page() == miss_.page.page());
  uint32_t error_code = 0;
  if (kernel) {
    // Linux reports P for every kernel address, mapped or not, so that a program learns nothing.
    error_code = mmu::PageFaultError::kProtection | mmu::PageFaultError::kUser |
                 (exact.access == mmu::Access::kWrite ? uint32_t{mmu::PageFaultError::kWrite} : 0u);
    if (exact.access == mmu::Access::kFetch && mmu_->no_execute() == mmu::NoExecute::kHonoured) {
      error_code |= mmu::PageFaultError::kInstruction;
    }
  } else {
    // A walk that misses changes nothing: it only gives CR2 and the error code.
    const mmu::Translation again = mmu_->translate(exact.addr, exact.access, mmu::Privilege::kUser);
    FL_CHECK(!again.hit, "the fault at {:#x} (eip {:#x}, access {}) is none for the page tables", exact.addr.value(),
             regs.eip, static_cast<int>(exact.access));
    error_code = again.error_code;
  }
  mmu_->set_cr2(exact.addr);
  return Trap{.kind = Trap::Kind::kPageFault, .addr = exact.addr, .access = exact.access, .error_code = error_code};
}

// The length of the int instruction that raised `vector`, if it was one. EIP is past it.
std::optional<uint32_t> UnicornCpu::software_interrupt_length(const guest::Registers& regs, uint32_t vector) const {
  if (has_marks_) {
    return fl_engine_marks.interrupt_length != 0 ? std::optional(fl_engine_marks.interrupt_length) : std::nullopt;
  }
  // Without the mark: by the bytes in front of EIP, and without prefixes.
  const uint8_t* opcode = user_byte(VirtAddr(regs.eip) - 2);
  const uint8_t* number = user_byte(VirtAddr(regs.eip) - 1);
  const bool is_int = opcode != nullptr && number != nullptr && *opcode == kIntOpcode && *number == vector;
  return is_int ? std::optional<uint32_t>(2) : std::nullopt;
}

// The error code of #GP, #NP, #SS and #TS for a selector (Intel SDM vol. 3, 6.13), 0 for other causes.
uint32_t UnicornCpu::selector_error(const guest::Registers& regs) {
  const VirtAddr eip(regs.eip);
  const InstructionBytes code = InstructionBytes::read(*mmu_, eip);
  const Instruction& instruction = decoder_.decode(code.bytes(), eip);
  const SelectorSource& source = instruction.selector;
  uint32_t selector = 0;
  switch (source.kind) {
    case SelectorSource::Kind::kNone:
      return 0;
    case SelectorSource::Kind::kRegister:
      selector = register_value(regs, source.reg);
      break;
    case SelectorSource::Kind::kImmediate:
      selector = source.immediate;
      break;
    case SelectorSource::Kind::kMemory:
      for (uint8_t at = 0; at < instruction.operands; ++at) {
        if (instruction.operand[at].use == OperandUse::kRead) {
          const MemorySpan span =
              evaluate(instruction.operand[at], regs, [this](uint16_t sel) { return segment_base(sel); });
          selector = user_half(span.addr + source.offset);
          break;
        }
      }
      break;
  }
  return selector & 0xfffc;
}

Trap UnicornCpu::exception(guest::Registers& regs, uint32_t vector) {
  if (vector == kSystemCallVector) {
    return Trap{.kind = Trap::Kind::kSystemCall};
  }
  const std::optional<uint32_t> int_length = software_interrupt_length(regs, vector);
  switch (static_cast<Vector>(vector)) {
    case Vector::kBreakpoint:
    case Vector::kOverflow:
      // User programs may use these two gates; traps: EIP is past the instruction.
      return Trap{.kind = Trap::Kind::kException, .vector = static_cast<uint8_t>(vector)};
    case Vector::kDebug:
      if (!int_length) {
        return Trap{.kind = Trap::Kind::kException, .vector = static_cast<uint8_t>(vector)};
      }
      break;
    default:
      break;
  }
  if (int_length) {
    // int n on a gate that is not for users.
    regs.eip -= *int_length;
    return fault(regs, Vector::kGeneralProtection, gate_error(vector));
  }
  const auto exception = static_cast<Vector>(vector);
  const bool may_name_selector = exception == Vector::kGeneralProtection || exception == Vector::kSegmentNotPresent ||
                                 exception == Vector::kStackSegment || exception == Vector::kInvalidTss;
  return fault(regs, exception, may_name_selector ? selector_error(regs) : 0);
}

// What the engine calls invalid is more than #UD: int 6 arrives like an invalid opcode, rdpmc and int1 are not
// implemented.
Trap UnicornCpu::invalid_instruction(guest::Registers& regs) {
  const InstructionBytes code = InstructionBytes::read(*mmu_, VirtAddr(regs.eip));
  const auto starts_with = [&code](std::initializer_list<uint8_t> bytes) {
    return code.bytes().size() >= bytes.size() && std::equal(bytes.begin(), bytes.end(), code.bytes().begin());
  };
  // EIP is still at the instruction.
  const bool by_int = has_marks_ ? fl_engine_marks.interrupt_length != 0
                                 : starts_with({kIntOpcode, static_cast<uint8_t>(Vector::kInvalidOpcode)});
  if (by_int) {
    return fault(regs, Vector::kGeneralProtection, gate_error(static_cast<uint32_t>(Vector::kInvalidOpcode)));
  }
  if (starts_with({0x0f, 0x33})) {  // rdpmc: CR4.PCE is off
    return fault(regs, Vector::kGeneralProtection);
  }
  if (starts_with({0xf1})) {  // int1: a trap
    regs.eip += 1;
    return Trap{.kind = Trap::Kind::kException, .vector = static_cast<uint8_t>(Vector::kDebug)};
  }
  return fault(regs, Vector::kInvalidOpcode);
}

// sysenter and syscall. EIP is where the engine goes on: past the instruction or at it.
Trap UnicornCpu::fast_call(guest::Registers& regs) {
  const auto is_fast_call = [this](VirtAddr at) {
    const uint8_t* first = user_byte(at);
    const uint8_t* second = user_byte(at + 1);
    return first != nullptr && second != nullptr && *first == 0x0f && (*second == 0x34 || *second == 0x05);
  };
  if (!is_fast_call(VirtAddr(regs.eip)) && is_fast_call(VirtAddr(regs.eip) - 2)) {
    regs.eip -= 2;
  }
  return fault(regs, Vector::kInvalidOpcode);
}

}  // namespace fl::emu
