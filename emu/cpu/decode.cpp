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

template <size_t N>
bool among(unsigned id, const unsigned (&list)[N]) {
  return std::find(std::begin(list), std::end(list), id) != std::end(list);
}

int8_t register_number(x86_reg reg) {
  constexpr x86_reg kWide[] = {X86_REG_EAX, X86_REG_ECX, X86_REG_EDX, X86_REG_EBX,
                               X86_REG_ESP, X86_REG_EBP, X86_REG_ESI, X86_REG_EDI};
  constexpr x86_reg kNarrow[] = {X86_REG_AX, X86_REG_CX, X86_REG_DX, X86_REG_BX,
                                 X86_REG_SP, X86_REG_BP, X86_REG_SI, X86_REG_DI};
  for (int8_t at = 0; at < 8; ++at) {
    if (reg == kWide[at] || reg == kNarrow[at]) {
      return at;
    }
  }
  return MemoryOperand::kNone;
}

MemoryOperand::Segment segment_of(const x86_op_mem& mem) {
  switch (mem.segment) {
    case X86_REG_CS:
      return MemoryOperand::kCs;
    case X86_REG_DS:
      return MemoryOperand::kDs;
    case X86_REG_ES:
      return MemoryOperand::kEs;
    case X86_REG_SS:
      return MemoryOperand::kSs;
    case X86_REG_FS:
      return MemoryOperand::kFs;
    case X86_REG_GS:
      return MemoryOperand::kGs;
    default:
      break;
  }
  const int8_t base = register_number(mem.base);
  return base == MemoryOperand::kEsp || base == MemoryOperand::kEbp ? MemoryOperand::kSs : MemoryOperand::kDs;
}

constexpr unsigned kPortInstructions[] = {X86_INS_IN,   X86_INS_OUT,   X86_INS_INSB,  X86_INS_INSW,
                                          X86_INS_INSD, X86_INS_OUTSB, X86_INS_OUTSW, X86_INS_OUTSD};
constexpr unsigned kStringCompares[] = {X86_INS_CMPSB, X86_INS_CMPSW, X86_INS_CMPSD};
bool accesses_port(unsigned id) { return among(id, kPortInstructions); }

MemoryOperand::Segment segment_override(uint8_t prefix) {
  switch (prefix) {
    case X86_PREFIX_CS:
      return MemoryOperand::kCs;
    case X86_PREFIX_SS:
      return MemoryOperand::kSs;
    case X86_PREFIX_ES:
      return MemoryOperand::kEs;
    case X86_PREFIX_FS:
      return MemoryOperand::kFs;
    case X86_PREFIX_GS:
      return MemoryOperand::kGs;
    default:
      return MemoryOperand::kDs;
  }
}

// Instructions that name memory without accessing it.
constexpr unsigned kMemoryNamers[] = {X86_INS_LEA,        X86_INS_NOP,         X86_INS_PREFETCH,
                                      X86_INS_PREFETCHW,  X86_INS_PREFETCHNTA, X86_INS_PREFETCHT0,
                                      X86_INS_PREFETCHT1, X86_INS_PREFETCHT2,  X86_INS_INVLPG};
bool only_names_memory(unsigned id) { return among(id, kMemoryNamers); }

// The first operand is read and written (rule B1: one write fault).
constexpr unsigned kModifiers[] = {
    X86_INS_ADD, X86_INS_ADC, X86_INS_SUB, X86_INS_SBB,  X86_INS_AND,  X86_INS_OR,      X86_INS_XOR,
    X86_INS_INC, X86_INS_DEC, X86_INS_NOT, X86_INS_NEG,  X86_INS_SHL,  X86_INS_SAL,     X86_INS_SHR,
    X86_INS_SAR, X86_INS_ROL, X86_INS_ROR, X86_INS_RCL,  X86_INS_RCR,  X86_INS_SHLD,    X86_INS_SHRD,
    X86_INS_BTS, X86_INS_BTR, X86_INS_BTC, X86_INS_XADD, X86_INS_XCHG, X86_INS_CMPXCHG, X86_INS_CMPXCHG8B};
bool modifies_destination(unsigned id) { return among(id, kModifiers); }

// A memory operand in the first place is a source, not a destination.
constexpr unsigned kReaders[] = {
    X86_INS_CMP,     X86_INS_TEST,   X86_INS_PUSH,  X86_INS_CALL,   X86_INS_JMP,    X86_INS_LCALL,   X86_INS_LJMP,
    X86_INS_MUL,     X86_INS_DIV,    X86_INS_IDIV,  X86_INS_IMUL,   X86_INS_BT,     X86_INS_CMPSB,   X86_INS_CMPSW,
    X86_INS_CMPSD,   X86_INS_SCASB,  X86_INS_SCASW, X86_INS_SCASD,  X86_INS_FLD,    X86_INS_FILD,    X86_INS_FBLD,
    X86_INS_FADD,    X86_INS_FIADD,  X86_INS_FSUB,  X86_INS_FISUB,  X86_INS_FSUBR,  X86_INS_FISUBR,  X86_INS_FMUL,
    X86_INS_FIMUL,   X86_INS_FDIV,   X86_INS_FIDIV, X86_INS_FDIVR,  X86_INS_FIDIVR, X86_INS_FCOM,    X86_INS_FCOMP,
    X86_INS_FICOM,   X86_INS_FICOMP, X86_INS_FLDCW, X86_INS_FLDENV, X86_INS_FRSTOR, X86_INS_FXRSTOR, X86_INS_LDMXCSR,
    X86_INS_VERR,    X86_INS_VERW,   X86_INS_LGDT,  X86_INS_LIDT,   X86_INS_LLDT,   X86_INS_LTR,     X86_INS_LMSW,
    X86_INS_CLFLUSH, X86_INS_OUTSB,  X86_INS_OUTSW, X86_INS_OUTSD};
bool only_reads(unsigned id) { return among(id, kReaders); }

// Sizes that Capstone leaves out or gets wrong; 0: Capstone's is right.
struct FixedSize {
  unsigned id;
  uint32_t bytes, bytes16;  // with 32-bit and with 16-bit operand size
};
constexpr FixedSize kFixedSizes[] = {
    {X86_INS_FXSAVE, 512, 512}, {X86_INS_FXRSTOR, 512, 512}, {X86_INS_FNSAVE, 108, 94}, {X86_INS_FRSTOR, 108, 94},
    {X86_INS_FNSTENV, 28, 14},  {X86_INS_FLDENV, 28, 14},    {X86_INS_FNSTCW, 2, 2},    {X86_INS_FLDCW, 2, 2},
    {X86_INS_FNSTSW, 2, 2},     {X86_INS_FBLD, 10, 10},      {X86_INS_FBSTP, 10, 10},   {X86_INS_LDMXCSR, 4, 4},
    {X86_INS_STMXCSR, 4, 4},    {X86_INS_CMPXCHG8B, 8, 8},   {X86_INS_LDS, 6, 4},       {X86_INS_LES, 6, 4},
    {X86_INS_LSS, 6, 4},        {X86_INS_LFS, 6, 4},         {X86_INS_LGS, 6, 4},       {X86_INS_LJMP, 6, 4},
    {X86_INS_LCALL, 6, 4},      {X86_INS_BOUND, 8, 4},       {X86_INS_SGDT, 6, 6},      {X86_INS_SIDT, 6, 6},
    {X86_INS_CLFLUSH, 1, 1},
};
uint32_t fixed_size(unsigned id, bool operand16) {
  for (const FixedSize& fixed : kFixedSizes) {
    if (fixed.id == id) {
      return operand16 ? fixed.bytes16 : fixed.bytes;
    }
  }
  return 0;
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
    case X86_INS_PUSH:
    case X86_INS_CALL:
    case X86_INS_PUSHF:
    case X86_INS_PUSHFD:
      return add(to, pushed(word));
    case X86_INS_LCALL:
      return add(to, pushed_in_turn(2, word));
    case X86_INS_PUSHAW:
    case X86_INS_PUSHAL:
      return add(to, pushed_in_turn(8, word));
    case X86_INS_POP:
    case X86_INS_RET:
    case X86_INS_POPF:
    case X86_INS_POPFD:
      return add(to, popped(word));
    case X86_INS_RETF:
      return add(to, popped(2 * word));
    case X86_INS_IRET:
    case X86_INS_IRETD:
      return add(to, popped(3 * word));
    case X86_INS_POPAW:
    case X86_INS_POPAL:
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

constexpr unsigned kDescriptorReaders[] = {X86_INS_LDS,  X86_INS_LES,   X86_INS_LSS,  X86_INS_LFS,  X86_INS_LGS,
                                           X86_INS_LJMP, X86_INS_LCALL, X86_INS_RETF, X86_INS_IRET, X86_INS_IRETD,
                                           X86_INS_LAR,  X86_INS_LSL,   X86_INS_VERR, X86_INS_VERW};
bool reads_descriptors(const cs_insn& insn) {
  if (insn.id != X86_INS_MOV && insn.id != X86_INS_POP) {
    return among(insn.id, kDescriptorReaders);
  }
  const cs_x86& x86 = insn.detail->x86;
  if (x86.op_count == 0 || x86.operands[0].type != X86_OP_REG) {
    return false;
  }
  const x86_reg reg = x86.operands[0].reg;
  return reg == X86_REG_DS || reg == X86_REG_ES || reg == X86_REG_SS || reg == X86_REG_FS || reg == X86_REG_GS;
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
    case X86_INS_LJMP:
    case X86_INS_LCALL:
      if (x86.operands[0].type == X86_OP_IMM) {
        return {.kind = Kind::kImmediate, .immediate = static_cast<uint16_t>(x86.operands[0].imm)};
      }
      return {.kind = Kind::kMemory, .offset = offset_size};
    case X86_INS_LDS:
    case X86_INS_LES:
    case X86_INS_LSS:
    case X86_INS_LFS:
    case X86_INS_LGS:
    case X86_INS_RETF:
    case X86_INS_IRET:
    case X86_INS_IRETD:
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
  const bool repeated = x86.prefix[0] == X86_PREFIX_REP || x86.prefix[0] == X86_PREFIX_REPNE;
  result.repeated_compare = repeated && among(insn.id, kStringCompares) && x86.op_count == 2 &&
                            x86.operands[0].type == X86_OP_MEM && x86.operands[1].type == X86_OP_MEM;

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
      const bool bit_test =
          insn.id == X86_INS_BT || insn.id == X86_INS_BTS || insn.id == X86_INS_BTR || insn.id == X86_INS_BTC;
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
    table.segment = segment_override(x86.prefix[1]);
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
    const auto* directory = reinterpret_cast<const mmu::Pte*>(mmu.ram().physical(mmu.cr3()));
    const mmu::Pte pde = directory[mmu::pgd_index(from)];
    if (mmu::is_kernel_address(from) || !pde.hw_present() || pde.large() || !pde.user()) {
      return false;
    }
    const mmu::Pte pte = reinterpret_cast<const mmu::Pte*>(mmu.ram().physical(pde.pfn()))[mmu::pte_index(from)];
    if (!pte.hw_present() || !pte.user()) {
      return false;
    }
    std::memcpy(result.bytes_.data() + result.size_, mmu.ram().physical(pte.pfn()) + from.page_offset(), bytes);
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
