// Decoding the instruction that faulted: the exact address of its memory operands, and whether it writes what it reads.
//
// The engine reports a missed page, not the address, and asks to read before it asks to write; a processor reports the
// first missing byte, and one write fault for a read-modify-write operand. Capstone decodes an instruction once; the
// result is cached by its bytes and evaluated with the registers of each fault.
#pragma once

#include <capstone/capstone.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "emu/cpu/modify_access.hpp"
#include "guest/cpu/registers.hpp"
#include "mmu/mmu.hpp"

namespace fl::emu {

inline constexpr size_t kMaxInstructionBytes = 15;

// The linear base address of a segment, from its selector.
using SegmentBase = std::function<uint32_t(uint16_t selector)>;

enum class OperandUse : uint8_t { kRead, kWrite, kReadWrite };

// Where the operand's address comes from, as far as it is not base + index * scale + displacement.
enum class AddressForm : uint8_t {
  kPlain,
  kBitString,    // bt, bts, btr, btc with a register: the bit offset moves the address
  kTableLookup,  // xlat: base + al
  kPushes,       // several pushes one after the other, downwards
};

// A memory operand, explicit or implied (stack, string, ...), before evaluation.
struct MemoryOperand {
  enum Register : int8_t { kNone = -1, kEax, kEcx, kEdx, kEbx, kEsp, kEbp, kEsi, kEdi };
  enum Segment : uint8_t { kDs, kEs, kSs, kCs, kFs, kGs };
  OperandUse use = OperandUse::kRead;
  AddressForm form = AddressForm::kPlain;
  Segment segment = kDs;
  int8_t base = kNone, index = kNone, bit_register = kNone;
  uint8_t scale = 1;
  bool address16 = false;
  int32_t displacement = 0;
  uint32_t size = 0;     // bytes
  uint32_t element = 0;  // kPushes: bytes of each
};

// Where an instruction that loads a segment finds the selector.
struct SelectorSource {
  enum class Kind : uint8_t { kNone, kRegister, kMemory, kImmediate };
  Kind kind = Kind::kNone;
  int8_t reg = MemoryOperand::kNone;  // kRegister
  uint8_t offset = 0;                 // kMemory: from the start of the first operand that is read
  uint16_t immediate = 0;             // kImmediate
};

struct Instruction {
  static constexpr size_t kMaxOperands = 4;
  uint8_t length = 0;  // 0: the bytes are no instruction, or not all of it could be read
  uint8_t operands = 0;
  bool loads_descriptor = false;  // may read the GDT: segment loads, far transfers, lar, lsl, verr, verw
  bool rotates_through_carry = false;
  bool repeated_compare = false;  // rep cmps
  bool port_io = false;           // in, out, ins, outs
  SelectorSource selector;
  std::array<MemoryOperand, kMaxOperands> operand{};
};

// A memory operand with the registers put in.
struct MemorySpan {
  VirtAddr addr;
  uint32_t size = 0;
  OperandUse use = OperandUse::kRead;
  bool wraps = false;  // runs past the end of its segment, offset 0xffffffff: a limit violation, not a page fault
  bool on_stack = false;
  uint32_t element = 0;  // of several pushes, the bytes of each; else 0
  bool touches_page(VirtAddr page) const;
};

// Bytes of an instruction as far as its pages are present. Reads the page tables and sets no A bit.
class InstructionBytes {
 public:
  static InstructionBytes read(const mmu::Mmu& mmu, VirtAddr eip);
  std::span<const uint8_t> bytes() const { return {bytes_.data(), size_}; }

 private:
  std::array<uint8_t, kMaxInstructionBytes> bytes_{};
  size_t size_ = 0;
};

class Decoder {
 public:
  Decoder();
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Valid until the next call.
  const Instruction& decode(std::span<const uint8_t> bytes, VirtAddr eip);
  // "mov dword ptr [eax], 1" in Intel syntax; "(bad)" for what is no instruction. Valid until the next call.
  const std::string& disassemble(std::span<const uint8_t> bytes, VirtAddr eip);

 private:
  struct Entry {
    uint32_t eip = 0;
    uint8_t bytes_given = 0;
    std::array<uint8_t, kMaxInstructionBytes> bytes{};
    bool filled = false;
    Instruction instruction;
    std::string text;
  };
  Entry& lookup(std::span<const uint8_t> bytes, VirtAddr eip);
  void fill(Entry& entry);

  csh handle_ = 0;
  cs_insn* scratch_ = nullptr;
  std::vector<Entry> cache_;
};

// The value of a general register, 0 for MemoryOperand::kNone.
uint32_t register_value(const guest::Registers& regs, int8_t reg);
MemorySpan evaluate(const MemoryOperand& operand, const guest::Registers& regs, const SegmentBase& segment_base);

// What the processor would have reported for a fault that the engine saw as `access` to the page `missed`.
struct ExactFault {
  VirtAddr addr;
  mmu::Access access;
  // The operand violates its segment's limit: #GP or, on the stack, #SS comes before any page fault.
  enum class Limit : uint8_t { kKept, kViolated, kViolatedOnStack };
  Limit limit = Limit::kKept;
};
// Whether the user may access the page so now, without side effects.
using PageProbe = std::function<bool(VirtAddr page, mmu::Access access)>;
// nullopt: no operand of the instruction lies in the page.
std::optional<ExactFault> exact_fault(const Instruction& instruction, const guest::Registers& regs,
                                      const SegmentBase& segment_base, VirtAddr missed, mmu::Access access,
                                      const PageProbe& may_access, ModifyAccess modify = ModifyAccess::kWrite);

}  // namespace fl::emu
