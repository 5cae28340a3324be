// Segment registers and the TLS descriptors of the running task. Linux counterparts: load_TLS, loadsegment.
#include <cstring>

#include "emu/cpu/monitor_layout.hpp"
#include "emu/cpu/unicorn_cpu.hpp"
#include "mmu/base/check.hpp"

namespace fl::emu {
namespace {
constexpr uint32_t kDescriptorPresent = 1u << 15, kDescriptorAccessed = 1u << 8;
constexpr uint16_t kTableIndicator = 4;
constexpr uint32_t index_of(uint16_t selector) { return selector >> 3; }
}  // namespace

bool UnicornCpu::write_segment(int reg, uint16_t selector) {
  phase_ = Phase::kSegments;
  const uc_err error = uc_reg_write(uc_, reg, &selector);
  phase_ = Phase::kIdle;
  return error == UC_ERR_OK;
}

bool UnicornCpu::load_segments(const guest::Registers& regs, const guest::TlsArray& tls) {
  std::array<bool, guest::kTlsDescriptors> changed{};
  if (tls != loaded_tls_) {
    for (uint32_t slot = 0; slot < guest::kTlsDescriptors; ++slot) {
      changed[slot] = !(tls[slot] == loaded_tls_[slot]);
      uint32_t high = tls[slot].high;
      if ((high & kDescriptorPresent) != 0) {
        high |= kDescriptorAccessed;
      }
      uint8_t* descriptor = monitor_.get() + (config_.segments.first_tls_entry + slot) * 8;
      std::memcpy(descriptor, &tls[slot].low, 4);
      std::memcpy(descriptor + 4, &high, 4);
    }
    loaded_tls_ = tls;
  }
  // A register is also loaded again when the descriptor behind it has changed.
  const auto stale = [&](uint16_t wanted, uint16_t loaded) {
    const uint32_t slot = index_of(wanted) - config_.segments.first_tls_entry;
    return wanted != loaded || (slot < guest::kTlsDescriptors && changed[slot]);
  };
  const auto load = [&](int reg, uint16_t wanted, uint16_t& loaded) {
    if (stale(wanted, loaded)) {
      const bool accepted = write_segment(reg, wanted);
      FL_CHECK(accepted || write_segment(reg, 0), "null selector refused");
      loaded = accepted ? wanted : 0;
    }
  };
  load(UC_X86_REG_DS, regs.ds, loaded_.ds);
  load(UC_X86_REG_ES, regs.es, loaded_.es);
  load(UC_X86_REG_FS, regs.fs, loaded_.fs);
  load(UC_X86_REG_GS, regs.gs, loaded_.gs);
  if (stale(regs.ss, loaded_.ss)) {
    if (!write_segment(UC_X86_REG_SS, regs.ss)) {
      return false;
    }
    loaded_.ss = regs.ss;
  }
  return regs.cs == loaded_.cs;
}

uint32_t UnicornCpu::segment_base(uint16_t selector) const {
  const uint32_t slot = index_of(selector) - config_.segments.first_tls_entry;
  if ((selector & kTableIndicator) != 0 || slot >= guest::kTlsDescriptors) {
    return 0;
  }
  const guest::TlsDescriptor& descriptor = loaded_tls_[slot];
  return descriptor.low >> 16 | (descriptor.high & 0xff) << 16 | (descriptor.high & 0xff000000);
}

}  // namespace fl::emu
