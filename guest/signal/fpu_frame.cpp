// FXSAVE to FSAVE and back. See fpu_frame.hpp.
//
// FXSAVE keeps one bit a register (empty or not), in the physical order of the registers, and each register in 16
// bytes, in stack order; FSAVE keeps a two-bit tag (valid, zero, special, empty) that must be worked out from the
// contents.
#include "guest/signal/fpu_frame.hpp"

#include <cstring>

namespace fl::guest {
namespace {

// Offsets in an FXSAVE image (Intel SDM vol. 1, table 10-2).
constexpr size_t kFcw = 0, kFsw = 2, kFtw = 4, kFop = 6, kFip = 8, kFcs = 12, kFdp = 16, kFds = 20, kMxcsr = 24;
constexpr size_t kRegisters = 32;
constexpr uint32_t kTagValid = 0, kTagZero = 1, kTagSpecial = 2, kTagEmpty = 3;

template <typename T>
T load(const FxState& state, size_t offset) {
  T value;
  std::memcpy(&value, state.bytes.data() + offset, sizeof value);
  return value;
}
template <typename T>
void store(FxState& state, size_t offset, T value) {
  std::memcpy(state.bytes.data() + offset, &value, sizeof value);
}

uint32_t tag_of_register(const FxState& state, uint32_t stack_index) {
  const size_t at = kRegisters + 16 * size_t{stack_index};
  const auto significand = load<uint64_t>(state, at);
  const uint32_t exponent = load<uint16_t>(state, at + 8) & 0x7fffu;
  if (exponent == 0x7fff) {
    return kTagSpecial;
  }
  if (exponent == 0) {
    return significand == 0 ? kTagZero : kTagSpecial;
  }
  return (significand >> 63) != 0 ? kTagValid : kTagSpecial;
}

uint32_t full_tag_word(const FxState& state) {
  const uint32_t top = (fx_status(state) >> 11) & 7u;
  const uint32_t used = load<uint16_t>(state, kFtw);
  uint32_t word = 0xffff0000u;
  for (uint32_t physical = 0; physical < 8; ++physical) {
    const uint32_t tag = (used >> physical & 1) != 0 ? tag_of_register(state, (physical - top) & 7u) : kTagEmpty;
    word |= tag << (2 * physical);
  }
  return word;
}

uint16_t short_tag_word(uint32_t full) {
  uint16_t used = 0;
  for (uint32_t physical = 0; physical < 8; ++physical) {
    if ((full >> (2 * physical) & 3u) != kTagEmpty) {
      used = static_cast<uint16_t>(used | 1u << physical);
    }
  }
  return used;
}

}  // namespace

uint32_t fx_mxcsr(const FxState& state) { return load<uint32_t>(state, kMxcsr); }
uint16_t fx_control(const FxState& state) { return load<uint16_t>(state, kFcw); }
uint16_t fx_status(const FxState& state) { return load<uint16_t>(state, kFsw); }

FsaveHeader fsave_from_fx(const FxState& state) {
  FsaveHeader header{};
  header.control = fx_control(state) | 0xffff0000u;
  header.status = fx_status(state) | 0xffff0000u;
  header.tag = full_tag_word(state);
  header.ip_offset = load<uint32_t>(state, kFip);
  header.cs_selector = load<uint16_t>(state, kFcs) | uint32_t{load<uint16_t>(state, kFop)} << 16;
  header.data_offset = load<uint32_t>(state, kFdp);
  header.data_selector = load<uint16_t>(state, kFds);
  for (size_t i = 0; i < 8; ++i) {
    std::memcpy(header.registers.data() + 10 * i, state.bytes.data() + kRegisters + 16 * i, 10);
  }
  header.plain_status = fx_status(state);
  header.magic = kFxsaveFollows;
  return header;
}

void fsave_into_fx(const FsaveHeader& header, FxState& state) {
  store(state, kFcw, static_cast<uint16_t>(header.control));
  store(state, kFsw, static_cast<uint16_t>(header.status));
  store(state, kFtw, short_tag_word(header.tag));
  store(state, kFop, static_cast<uint16_t>(header.cs_selector >> 16));
  store(state, kFip, header.ip_offset);
  store(state, kFcs, header.cs_selector & 0xffffu);
  store(state, kFdp, header.data_offset);
  store(state, kFds, header.data_selector);
  for (size_t i = 0; i < 8; ++i) {
    std::memcpy(state.bytes.data() + kRegisters + 16 * i, header.registers.data() + 10 * i, 10);
  }
}

void mark_fx_frame(FxState& state, const SignalState& signal_state) {
  const FxSoftwareBytes bytes{.magic1 = kFxSoftwareMagic,
                              .extended_size = signal_state.bytes + kXsaveEndMarkBytes + uint32_t{sizeof(FsaveHeader)},
                              .features = signal_state.features,
                              .state_size = signal_state.bytes,
                              .padding = {}};
  store(state, kFxSoftwareOffset, bytes);
}

}  // namespace fl::guest
