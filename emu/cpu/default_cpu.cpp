// The leaves of the default processor. See cpu_model.hpp.
#include <array>
#include <cstring>

#include "emu/cpu/cpu_model.hpp"

namespace fl::emu {
namespace {

constexpr uint32_t kMaxBasicLeaf = 7;
constexpr uint32_t kMaxExtendedLeaf = 0x80000008;
// Family 0x17, model 1, stepping 2.
constexpr uint32_t kSignature = 0x00800f12;
constexpr std::array<char, 49> kBrand = {"faultline i386 virtual processor"};

// Bit positions in leaf 1, EDX: FPU VME DE PSE TSC MSR MCE CX8 PGE MCA CMOV PAT PSE36 CLFLUSH MMX FXSR SSE SSE2.
constexpr uint32_t kFeaturesEdx = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 7 | 1u << 8 |
                                  1u << 13 | 1u << 14 | 1u << 15 | 1u << 16 | 1u << 17 | 1u << 19 | 1u << 23 |
                                  1u << 24 | 1u << 25 | 1u << 26;
// Leaf 1, ECX: SSE3 SSSE3 CMPXCHG16B SSE4.1 SSE4.2 POPCNT.
constexpr uint32_t kFeaturesEcx = 1u << 0 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 23;
// Leaf 0x80000001, EDX repeats these bits of leaf 1; added are MMXEXT and RDTSCP.
constexpr uint32_t kExtendedEdx = (kFeaturesEdx & 0x0183f3ff) | 1u << 22 | 1u << 27;
// ECX: LAHF in 64-bit mode.
constexpr uint32_t kExtendedEcx = 1u << 0;
constexpr uint32_t kClflushLine = 8u << 8;  // in units of 8 bytes

uint32_t word(const char* text) {
  uint32_t value;
  std::memcpy(&value, text, sizeof value);
  return value;
}

CpuidEntry vendor(uint32_t leaf, uint32_t last) { return {leaf, 0, last, word("Auth"), word("cAMD"), word("enti")}; }

CpuidEntry brand(uint32_t part) {
  const char* text = kBrand.data() + part * 16;
  return {0x80000002 + part, 0, word(text), word(text + 4), word(text + 8), word(text + 12)};
}

CpuModel make_default() {
  CpuModel cpu;
  cpu.name = "default";
  cpu.hwcap = kFeaturesEdx;
  cpu.cpuid = {
      vendor(0, kMaxBasicLeaf),
      {1, 0, kSignature, kClflushLine, kFeaturesEcx, kFeaturesEdx},
      vendor(0x80000000, kMaxExtendedLeaf),
      {0x80000001, 0, kSignature, 0, kExtendedEcx, kExtendedEdx},
      brand(0),
      brand(1),
      brand(2),
      // L1: 32 KiB, 8 ways, lines of 64 bytes, data and instructions
      {0x80000005, 0, 0, 0, 32u << 24 | 8u << 16 | 1u << 8 | 64, 32u << 24 | 8u << 16 | 1u << 8 | 64},
      // L2: 512 KiB, 8 ways; L3: 16 MiB (units of 512 KiB), 16 ways
      {0x80000006, 0, 0, 0, 512u << 16 | 6u << 12 | 1u << 8 | 64, 32u << 18 | 8u << 12 | 1u << 8 | 64},
      // 32-bit physical and linear addresses, one core
      {0x80000008, 0, 32u << 8 | 32, 0, 0, 0},
  };
  return cpu;
}

}  // namespace

const CpuModel& default_cpu() {
  static const CpuModel kDefault = make_default();
  return kDefault;
}

}  // namespace fl::emu
