// What differs between the processors (and the kernels' use of them) that UnicornCpu can imitate.
#pragma once

#include <array>
#include <cstdint>

#include "emu/cpu/cpu_model.hpp"

namespace fl::emu {

// Where a kernel puts its flat segments and the three TLS descriptors in the GDT. Linux:
// arch/x86/include/asm/segment.h.
struct SegmentLayout {
  uint16_t kernel_code = 0x60, kernel_data = 0x68;
  uint16_t user_code = 0x73, user_data = 0x7b;
  uint32_t first_tls_entry = 6;

  static constexpr SegmentLayout i386() { return {}; }
  // A 64-bit kernel that runs 32-bit programs.
  static constexpr SegmentLayout compat() { return {0x10, 0x18, 0x23, 0x2b, 12}; }
  constexpr uint16_t tls_selector(uint32_t slot) const {
    return static_cast<uint16_t>((first_tls_entry + slot) * 8 + 3);
  }
};

enum class BlockCounting : uint8_t {
  kBest,  // interposed if that is active, else the hook
  kHook,  // always the hook: slower; to check the other
};

struct CpuConfig {
  SegmentLayout segments;
  CpuModel model = default_cpu();
  BlockCounting counting = BlockCounting::kBest;
  // Bytes of the buffer for translated code; when it is full, all of it is dropped and translated again.
  uint32_t code_buffer_bytes = 64u << 20;
  // Keeps every translation that is handed out, for cached_translations(). Slow.
  bool keep_translations = false;
};

}  // namespace fl::emu
