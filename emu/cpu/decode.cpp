// Capstone's view of an instruction turned into memory operands, and the cache in front of it.
//
// Implied operands (stack, xlat, maskmov) are added here; sizes are corrected where Capstone 4 gives none or the
// register's. No table of opcodes: only groups of instructions whose operand use differs from "destination first".
#include "emu/cpu/decode.hpp"

#include <algorithm>
#include <cstring>

#include "mmu/base/check.hpp"

namespace fl::emu {
namespace {

constexpr size_t kCacheEntries = 2048;

int8_t register_number(x86_reg reg) {
  switch (reg) {
    case X86_REG_EAX: case X86_REG_AX: return MemoryOperand::kEax;
    case X86_REG_ECX: case X86_REG_CX: return MemoryOperand::kEcx;
    case X86_REG_EDX: case X86_REG_DX: return MemoryOperand::kEdx;
    case X86_REG_EBX: case X86_REG_BX: return MemoryOperand::kEbx;
    case X86_REG_ESP: case X86_REG_SP: return MemoryOperand::kEsp;
    case X86_REG_EBP: case X86_REG_BP: return MemoryOperand::kEbp;
    case X86_REG_ESI: case X86_REG_SI: return MemoryOperand::kEsi;
    case X86_REG_EDI: case X86_REG_DI: return MemoryOperand::kEdi;
    default: return MemoryOperand::kNone;
  }
}

MemoryOperand::Segment segment_of(const x86_op_mem& mem) {
  switch (mem.segment) {
    case X86_REG_CS: return MemoryOperand::kCs;
    case X86_REG_DS: return MemoryOperand::kDs;
    case X86_REG_ES: return MemoryOperand::kEs;
    case X86_REG_SS: return MemoryOperand::kSs;
    case X86_REG_FS: return MemoryOperand::kFs;
    case X86_REG_GS: return MemoryOperand::kGs;
    default: break;
  }
  const int8_t base = register_number(mem.base);
  return base == MemoryOperand::kEsp || base == MemoryOperand::kEbp ? MemoryOperand::kSs : MemoryOperand::kDs;
}

bool accesses_port(unsigned id) {
  switch (id) {
    case X86_INS_IN: case X86_INS_OUT: case X86_INS_INSB: case X86_INS_INSW: case X86_INS_INSD: case X86_INS_OUTSB:
    case X86_INS_OUTSW: case X86_INS_OUTSD:
      return true;
    default:
      return false;
  }
}

// Instructions that name memory without accessing it.
bool only_names_memory(unsigned id) {
  switch (id) {
    case X86_INS_LEA: case X86_INS_NOP: case X86_INS_PREFETCH: case X86_INS_PREFETCHW: case X86_INS_PREFETCHNTA:
    case X86_INS_PREFETCHT0: case X86_INS_PREFETCHT1: case X86_INS_PREFETCHT2: case X86_INS_INVLPG:
      return true;
    default:
      return false;
  }
}

// The first operand is read and written (rule B1: one write fault).
bool modifies_destination(unsigned id) {
  switch (id) {
    case X86_INS_ADD: case X86_INS_ADC: case X86_INS_SUB: case X86_INS_SBB: case X86_INS_AND: case X86_INS_OR:
    case X86_INS_XOR: case X86_INS_INC: case X86_INS_DEC: case X86_INS_NOT: case X86_INS_NEG: case X86_INS_SHL:
    case X86_INS_SAL: case X86_INS_SHR: case X86_INS_SAR: case X86_INS_ROL: case X86_INS_ROR: case X86_INS_RCL:
    case X86_INS_RCR: case X86_INS_SHLD: case X86_INS_SHRD: case X86_INS_BTS: case X86_INS_BTR: case X86_INS_BTC:
    case X86_INS_XADD: case X86_INS_XCHG: case X86_INS_CMPXCHG: case X86_INS_CMPXCHG8B:
      return true;
    default:
      return false;
  }
}

// A memory operand in the first place is a source, not a destination.
bool only_reads(unsigned id) {
  switch (id) {
    case X86_INS_CMP: case X86_INS_TEST: case X86_INS_PUSH: case X86_INS_CALL: case X86_INS_JMP: case X86_INS_LCALL:
    case X86_INS_LJMP: case X86_INS_MUL: case X86_INS_DIV: case X86_INS_IDIV: case X86_INS_IMUL: case X86_INS_BT:
    case X86_INS_CMPSB: case X86_INS_CMPSW: case X86_INS_CMPSD: case X86_INS_SCASB: case X86_INS_SCASW:
    case X86_INS_SCASD: case X86_INS_FLD: case X86_INS_FILD: case X86_INS_FBLD: case X86_INS_FADD: case X86_INS_FIADD:
    case X86_INS_FSUB: case X86_INS_FISUB: case X86_INS_FSUBR: case X86_INS_FISUBR: case X86_INS_FMUL:
    case X86_INS_FIMUL: case X86_INS_FDIV: case X86_INS_FIDIV: case X86_INS_FDIVR: case X86_INS_FIDIVR:
    case X86_INS_FCOM: case X86_INS_FCOMP: case X86_INS_FICOM: case X86_INS_FICOMP: case X86_INS_FLDCW:
    case X86_INS_FLDENV: case X86_INS_FRSTOR: case X86_INS_FXRSTOR: case X86_INS_LDMXCSR: case X86_INS_VERR:
    case X86_INS_VERW: case X86_INS_LGDT: case X86_INS_LIDT: case X86_INS_LLDT: case X86_INS_LTR: case X86_INS_LMSW:
    case X86_INS_CLFLUSH: case X86_INS_OUTSB: case X86_INS_OUTSW: case X86_INS_OUTSD:
      return true;
    default:
      return false;
  }
}

// Sizes that Capstone leaves out or gets wrong; 0: Capstone's is right.
uint32_t fixed_size(unsigned id, bool operand16) {
  switch (id) {
    case X86_INS_FXSAVE: case X86_INS_FXRSTOR: return 512;
    case X86_INS_FNSAVE: case X86_INS_FRSTOR: return operand16 ? 94 : 108;
    case X86_INS_FNSTENV: case X86_INS_FLDENV: return operand16 ? 14 : 28;
    case X86_INS_FNSTCW: case X86_INS_FLDCW: case X86_INS_FNSTSW: return 2;
    case X86_INS_FBLD: case X86_INS_FBSTP: return 10;
    case X86_INS_LDMXCSR: case X86_INS_STMXCSR: return 4;
    case X86_INS_CMPXCHG8B: return 8;
    case X86_INS_LDS: case X86_INS_LES: case X86_INS_LSS: case X86_INS_LFS: case X86_INS_LGS: case X86_INS_LJMP:
    case X86_INS_LCALL: return operand16 ? 4 : 6;
    case X86_INS_BOUND: return operand16 ? 4 : 8;
    case X86_INS_SGDT: case X86_INS_SIDT: return 6;
    case X86_INS_CLFLUSH: return 1;
    default: return 0;
  }
}

void add(Instruction& to, const MemoryOperand& operand) {
  if (to.operands < Instruction::kMaxOperands) {
    to.operand[to.operands++] = operand;
  }
}

MemoryOperand stack(OperandUse use, int32_t displacement, uint32_t size) {
  MemoryOperand operand;
  operand.use = use;
  operand.segment = MemoryOperand::kSs;
  operand.base = MemoryOperand::kEsp;
  operand.displacement = displacement;
  operand.size = size;
  return operand;
}
MemoryOperand pushed(uint32_t bytes) { return stack(OperandUse::kWrite, -static_cast<int32_t>(bytes), bytes); }
MemoryOperand pushed_in_turn(uint32_t count, uint32_t bytes) {
  MemoryOperand operand = pushed(count * bytes);
  operand.form = AddressForm::kPushes;
  operand.element = bytes;
  return operand;
}
MemoryOperand popped(uint32_t bytes) { return stack(OperandUse::kRead, 0, bytes); }

// What the instruction does with the stack.
void add_stack_operands(Instruction& to, const cs_insn& insn, bool operand16) {
  const uint32_t word = operand16 ? 2 : 4;
  const cs_x86& x86 = insn.detail->x86;
  switch (insn.id) {
    case X86_INS_PUSH: case X86_INS_CALL: case X86_INS_PUSHF: case X86_INS_PUSHFD:
      return add(to, pushed(word));
    case X86_INS_LCALL:
      return add(to, pushed_in_turn(2, word));
    case X86_INS_PUSHAW: case X86_INS_PUSHAL:
      return add(to, pushed_in_turn(8, word));
    case X86_INS_POP: case X86_INS_RET: case X86_INS_POPF: case X86_INS_POPFD:
      return add(to, popped(word));
    case X86_INS_RETF:
      return add(to, popped(2 * word));
    case X86_INS_IRET: case X86_INS_IRETD:
      return add(to, popped(3 * word));
    case X86_INS_POPAW: case X86_INS_POPAL:
      return add(to, popped(8 * word));
    case X86_INS_LEAVE: {
      MemoryOperand saved = popped(word);
      saved.base = MemoryOperand::kEbp;
      return add(to, saved);
    }
    case X86_INS_ENTER: {
      const uint32_t level = x86.op_count > 1 ? static_cast<uint32_t>(x86.operands[1].imm) & 31 : 0;
      if (level > 1) {
        MemoryOperand display = stack(OperandUse::kRead, -static_cast<int32_t>(word * (level - 1)), word * (level - 1));
        display.base = MemoryOperand::kEbp;
        add(to, display);
      }
      return add(to, pushed_in_turn(level + 1, word));
    }
    default:
      return;
  }
}

bool reads_descriptors(const cs_insn& insn) {
  const cs_x86& x86 = insn.detail->x86;
  switch (insn.id) {
    case X86_INS_LDS: case X86_INS_LES: case X86_INS_LSS: case X86_INS_LFS: case X86_INS_LGS: case X86_INS_LJMP:
    case X86_INS_LCALL: case X86_INS_RETF: case X86_INS_IRET: case X86_INS_IRETD: case X86_INS_LAR: case X86_INS_LSL:
    case X86_INS_VERR: case X86_INS_VERW:
      return true;
    case X86_INS_MOV: case X86_INS_POP:
      break;
    default:
      return false;
  }
  if (x86.op_count == 0 || x86.operands[0].type != X86_OP_REG) {
    return false;
  }
  switch (x86.operands[0].reg) {
    case X86_REG_DS: case X86_REG_ES: case X86_REG_SS: case X86_REG_FS: case X86_REG_GS:
      return true;
    default:
      return false;
  }
}

SelectorSource selector_source(const cs_insn& insn, bool operand16) {
  using Kind = SelectorSource::Kind;
  const cs_x86& x86 = insn.detail->x86;
  const uint8_t offset_size = operand16 ? 2 : 4;
  switch (insn.id) {
    case X86_INS_MOV:
      if (x86.operands[1].type == X86_OP_REG) {
        return {.kind = Kind::kRegister, .reg = register_number(x86.operands[1].reg)};
      }
      return {.kind = Kind::kMemory};
    case X86_INS_POP:
      return {.kind = Kind::kMemory};
    case X86_INS_LJMP: case X86_INS_LCALL:
      if (x86.operands[0].type == X86_OP_IMM) {
        return {.kind = Kind::kImmediate, .immediate = static_cast<uint16_t>(x86.operands[0].imm)};
      }
      return {.kind = Kind::kMemory, .offset = offset_size};
    case X86_INS_LDS: case X86_INS_LES: case X86_INS_LSS: case X86_INS_LFS: case X86_INS_LGS: case X86_INS_RETF:
    case X86_INS_IRET: case X86_INS_IRETD:
      return {.kind = Kind::kMemory, .offset = offset_size};
    default:
      return {};
  }
}

Instruction translate(const cs_insn& insn) {
  Instruction result;
  result.length = static_cast<uint8_t>(insn.size);
  const cs_x86& x86 = insn.detail->x86;
  const bool operand16 = x86.prefix[2] == X86_PREFIX_OPSIZE;
  result.loads_descriptor = reads_descriptors(insn);
  if (result.loads_descriptor) {
    result.selector = selector_source(insn, operand16);
  }
  result.port_io = accesses_port(insn.id);
  result.rotates_through_carry = insn.id == X86_INS_RCL || insn.id == X86_INS_RCR;
  result.compares_strings =
      insn.id == X86_INS_CMPSB || insn.id == X86_INS_CMPSW || (insn.id == X86_INS_CMPSD && insn.bytes[0] != 0x0f &&
                                                               x86.op_count == 2 && x86.operands[0].type == X86_OP_MEM &&
                                                               x86.operands[1].type == X86_OP_MEM);

  // A pop reads the stack before it writes its destination.
  if (insn.id == X86_INS_POP) {
    add_stack_operands(result, insn, operand16);
  }
  if (!only_names_memory(insn.id)) {
    for (uint8_t at = 0; at < x86.op_count; ++at) {
      const cs_x86_op& op = x86.operands[at];
      if (op.type != X86_OP_MEM) {
        continue;
      }
      MemoryOperand operand;
      operand.segment = segment_of(op.mem);
      operand.base = register_number(op.mem.base);
      operand.index = register_number(op.mem.index);
      operand.scale = static_cast<uint8_t>(op.mem.scale);
      operand.displacement = static_cast<int32_t>(op.mem.disp);
      operand.address16 = x86.addr_size == 2;
      const uint32_t fixed = fixed_size(insn.id, operand16);
      operand.size = fixed != 0 ? fixed : std::max<uint32_t>(op.size, 1);
      const bool exchanges = insn.id == X86_INS_XCHG;
      if (modifies_destination(insn.id) && (at == 0 || exchanges)) {
        operand.use = OperandUse::kReadWrite;
      } else if (at == 0 && !only_reads(insn.id)) {
        operand.use = OperandUse::kWrite;
      }
      const bool bit_test = insn.id == X86_INS_BT || insn.id == X86_INS_BTS || insn.id == X86_INS_BTR ||
                            insn.id == X86_INS_BTC;
      if (bit_test && at == 0 && x86.op_count > 1 && x86.operands[1].type == X86_OP_REG) {
        operand.form = AddressForm::kBitString;
        operand.bit_register = register_number(x86.operands[1].reg);
      }
      if (insn.id == X86_INS_POP && operand.base == MemoryOperand::kEsp) {
        operand.displacement += operand16 ? 2 : 4;
      }
      add(result, operand);
    }
  }
  if (insn.id != X86_INS_POP) {
    add_stack_operands(result, insn, operand16);
  }
  if (insn.id == X86_INS_XLATB && result.operands == 0) {
    MemoryOperand table;
    table.form = AddressForm::kTableLookup;
    table.base = MemoryOperand::kEbx;
    table.address16 = x86.addr_size == 2;
    table.size = 1;
    switch (x86.prefix[1]) {
      case X86_PREFIX_CS: table.segment = MemoryOperand::kCs; break;
      case X86_PREFIX_SS: table.segment = MemoryOperand::kSs; break;
      case X86_PREFIX_ES: table.segment = MemoryOperand::kEs; break;
      case X86_PREFIX_FS: table.segment = MemoryOperand::kFs; break;
      case X86_PREFIX_GS: table.segment = MemoryOperand::kGs; break;
      default: break;
    }
    add(result, table);
  }
  if ((insn.id == X86_INS_MASKMOVQ || insn.id == X86_INS_MASKMOVDQU) && result.operands == 0) {
    MemoryOperand target;
    target.use = OperandUse::kWrite;
    target.base = MemoryOperand::kEdi;
    target.size = insn.id == X86_INS_MASKMOVQ ? 8 : 16;
    add(result, target);
  }
  return result;
}

}  // namespace

InstructionBytes InstructionBytes::read(const mmu::Mmu& mmu, VirtAddr eip) {
  InstructionBytes result;
  const auto copy = [&](VirtAddr from, size_t bytes) {
    const auto* directory = reinterpret_cast<const mmu::Pte*>(mmu.ram().frame(mmu.cr3()));
    const mmu::Pte pde = directory[mmu::pgd_index(from)];
    if (mmu::is_kernel_address(from) || !pde.hw_present() || pde.large() || !pde.user()) {
      return false;
    }
    const mmu::Pte pte = reinterpret_cast<const mmu::Pte*>(mmu.ram().frame(pde.pfn()))[mmu::pte_index(from)];
    if (!pte.hw_present() || !pte.user()) {
      return false;
    }
    std::memcpy(result.bytes_.data() + result.size_, mmu.ram().frame(pte.pfn()) + from.page_offset(), bytes);
    result.size_ += bytes;
    return true;
  };
  const size_t first = std::min<size_t>(kMaxInstructionBytes, kPageSize - eip.page_offset());
  if (copy(eip, first) && first < kMaxInstructionBytes) {
    copy(eip + static_cast<uint32_t>(first), kMaxInstructionBytes - first);
  }
  return result;
}

Decoder::Decoder() : cache_(kCacheEntries) {
  FL_CHECK(cs_open(CS_ARCH_X86, CS_MODE_32, &handle_) == CS_ERR_OK, "Capstone");
  cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
  scratch_ = cs_malloc(handle_);
}

Decoder::~Decoder() {
  cs_free(scratch_, 1);
  cs_close(&handle_);
}

Decoder::Entry& Decoder::lookup(std::span<const uint8_t> bytes, VirtAddr eip) {
  // Direct-mapped by address: the same instruction faults again and again from the same place.
  Entry& entry = cache_[(eip.value() ^ (eip.value() >> 11)) % kCacheEntries];
  const size_t known = entry.instruction.length != 0 ? entry.instruction.length : entry.bytes_given;
  const bool same_bytes = entry.filled && entry.eip == eip.value() && bytes.size() >= known &&
                          (entry.instruction.length != 0 || bytes.size() == known) &&
                          std::memcmp(entry.bytes.data(), bytes.data(), known) == 0;
  if (!same_bytes) {
    entry.filled = true;
    entry.eip = eip.value();
    entry.bytes_given = static_cast<uint8_t>(std::min(bytes.size(), kMaxInstructionBytes));
    std::copy_n(bytes.begin(), entry.bytes_given, entry.bytes.begin());
    fill(entry);
  }
  return entry;
}

void Decoder::fill(Entry& entry) {
  const uint8_t* code = entry.bytes.data();
  size_t size = entry.bytes_given;
  uint64_t address = entry.eip;
  entry.instruction = Instruction();
  entry.text = "(bad)";
  if (!cs_disasm_iter(handle_, &code, &size, &address, scratch_)) {
    return;
  }
  entry.instruction = translate(*scratch_);
  entry.text = scratch_->mnemonic;
  if (scratch_->op_str[0] != '\0') {
    entry.text += ' ';
    entry.text += scratch_->op_str;
  }
}

const Instruction& Decoder::decode(std::span<const uint8_t> bytes, VirtAddr eip) {
  return lookup(bytes, eip).instruction;
}

const std::string& Decoder::disassemble(std::span<const uint8_t> bytes, VirtAddr eip) {
  return lookup(bytes, eip).text;
}

}  // namespace fl::emu
