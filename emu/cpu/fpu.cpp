// x87 and SSE state between the engine's registers and an FXSAVE image (Intel SDM vol. 1, table 10-2).
//
// The engine does not keep the last instruction's opcode and pointers (FOP, FIP, FDP): they are saved as it has them.
#include <cstring>

#include "emu/cpu/unicorn_cpu.hpp"
#include "mmu/base/check.hpp"

namespace fl::emu {
namespace {

constexpr size_t kControlWord = 0, kStatusWord = 2, kTagByte = 4, kOpcode = 6, kInstruction = 8, kCodeSegment = 12,
                 kData = 16, kDataSegment = 20, kMxcsr = 24, kMxcsrMaskField = 28, kRegisters = 32, kXmm = 160;
constexpr uint16_t kDefaultControl = 0x37f;
constexpr uint32_t kDefaultMxcsr = 0x1f80;

constexpr std::array<int, 8> kStack = {UC_X86_REG_ST0, UC_X86_REG_ST1, UC_X86_REG_ST2, UC_X86_REG_ST3,
                                       UC_X86_REG_ST4, UC_X86_REG_ST5, UC_X86_REG_ST6, UC_X86_REG_ST7};
constexpr std::array<int, 8> kVectors = {UC_X86_REG_XMM0, UC_X86_REG_XMM1, UC_X86_REG_XMM2, UC_X86_REG_XMM3,
                                         UC_X86_REG_XMM4, UC_X86_REG_XMM5, UC_X86_REG_XMM6, UC_X86_REG_XMM7};

template <typename T>
void put(guest::FxState& state, size_t offset, T value) {
  std::memcpy(state.bytes.data() + offset, &value, sizeof value);
}
template <typename T>
T get(const guest::FxState& state, size_t offset) {
  T value;
  std::memcpy(&value, state.bytes.data() + offset, sizeof value);
  return value;
}

}  // namespace

guest::FxState UnicornCpu::save() {
  guest::FxState state;
  uint16_t control = 0, status = 0, tags = 0, opcode = 0, code_segment = 0, data_segment = 0;
  uint64_t instruction = 0, data = 0;
  uint32_t mxcsr = 0;
  const int ids[] = {UC_X86_REG_FPCW, UC_X86_REG_FPSW, UC_X86_REG_FPTAG, UC_X86_REG_FOP,  UC_X86_REG_FCS,
                     UC_X86_REG_FDS,  UC_X86_REG_FIP,  UC_X86_REG_FDP,   UC_X86_REG_MXCSR};
  void* values[] = {&control, &status, &tags, &opcode, &code_segment, &data_segment, &instruction, &data, &mxcsr};
  FL_CHECK(uc_reg_read_batch(uc_, ids, values, std::size(ids)) == UC_ERR_OK, "FPU state");
  // Two bits a register in the tag word, 3 = empty; one bit in the image, 1 = in use.
  uint8_t in_use = 0;
  for (unsigned reg = 0; reg < 8; ++reg) {
    in_use |= static_cast<uint8_t>(((tags >> (2 * reg)) & 3) != 3 ? 1u << reg : 0u);
  }
  put(state, kControlWord, control);
  put(state, kStatusWord, status);
  put(state, kTagByte, in_use);
  put(state, kOpcode, opcode);
  put(state, kInstruction, static_cast<uint32_t>(instruction));
  put(state, kCodeSegment, code_segment);
  put(state, kData, static_cast<uint32_t>(data));
  put(state, kDataSegment, data_segment);
  put(state, kMxcsr, mxcsr);
  put(state, kMxcsrMaskField, guest::kMxcsrMask);
  for (size_t at = 0; at < kStack.size(); ++at) {
    uc_reg_read(uc_, kStack[at], state.bytes.data() + kRegisters + 16 * at);
    uc_reg_read(uc_, kVectors[at], state.bytes.data() + kXmm + 16 * at);
  }
  return state;
}

void UnicornCpu::restore(const guest::FxState& state) {
  const auto in_use = get<uint8_t>(state, kTagByte);
  uint16_t tags = 0;
  for (unsigned reg = 0; reg < 8; ++reg) {
    tags |= static_cast<uint16_t>((in_use & (1u << reg)) == 0 ? 3u << (2 * reg) : 0u);
  }
  const auto control = get<uint16_t>(state, kControlWord);
  const auto status = get<uint16_t>(state, kStatusWord);
  const auto opcode = get<uint16_t>(state, kOpcode);
  const auto code_segment = get<uint16_t>(state, kCodeSegment);
  const auto data_segment = get<uint16_t>(state, kDataSegment);
  const uint64_t instruction = get<uint32_t>(state, kInstruction);
  const uint64_t data = get<uint32_t>(state, kData);
  const auto mxcsr = get<uint32_t>(state, kMxcsr);
  const auto write = [this](int id, const void* value) {
    FL_CHECK(uc_reg_write(uc_, id, value) == UC_ERR_OK, "FPU register {}", id);
  };
  // The status word first: it holds the top of the stack that ST0..ST7 are relative to.
  write(UC_X86_REG_FPSW, &status);
  write(UC_X86_REG_FPCW, &control);
  write(UC_X86_REG_FPTAG, &tags);
  write(UC_X86_REG_FOP, &opcode);
  write(UC_X86_REG_FCS, &code_segment);
  write(UC_X86_REG_FDS, &data_segment);
  write(UC_X86_REG_FIP, &instruction);
  write(UC_X86_REG_FDP, &data);
  write(UC_X86_REG_MXCSR, &mxcsr);
  for (size_t at = 0; at < kStack.size(); ++at) {
    write(kStack[at], state.bytes.data() + kRegisters + 16 * at);
    write(kVectors[at], state.bytes.data() + kXmm + 16 * at);
  }
}

void UnicornCpu::reset() {
  guest::FxState state;
  put(state, kControlWord, kDefaultControl);
  put(state, kMxcsr, kDefaultMxcsr);
  restore(state);
}

}  // namespace fl::emu
