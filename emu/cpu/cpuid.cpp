// The leaves of the default processor.
#include "emu/cpu/cpuid.hpp"

#include <array>
#include <cstring>

namespace fl::emu {
namespace {

constexpr uint32_t kMaxBasicLeaf = 7;
constexpr uint32_t kMaxExtendedLeaf = 0x80000008;
// Family 0x17, model 1, stepping 2.
constexpr uint32_t kSignature = 0x00800f12;
constexpr char kBrand[49] = "faultline i386 virtual processor";

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

}  // namespace

CpuidResult default_cpuid(uint32_t leaf, uint32_t /*subleaf*/) {
  // Out of range: what AMD processors answer, zeros.
  switch (leaf) {
    case 0:
      return {kMaxBasicLeaf, word("Auth"), word("cAMD"), word("enti")};
    case 1:
      return {kSignature, kClflushLine, kFeaturesEcx, kFeaturesEdx};
    case 0x80000000:
      return {kMaxExtendedLeaf, word("Auth"), word("cAMD"), word("enti")};
    case 0x80000001:
      return {kSignature, 0, kExtendedEcx, kExtendedEdx};
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: {
      const char* part = kBrand + (leaf - 0x80000002) * 16;
      return {word(part), word(part + 4), word(part + 8), word(part + 12)};
    }
    case 0x80000005:  // L1: 32 KiB, 8 ways, lines of 64 bytes, data and instructions
      return {0, 0, 32u << 24 | 8u << 16 | 1u << 8 | 64, 32u << 24 | 8u << 16 | 1u << 8 | 64};
    case 0x80000006:  // L2: 512 KiB, 8 ways; L3: 16 MiB (units of 512 KiB), 16 ways
      return {0, 0, 512u << 16 | 6u << 12 | 1u << 8 | 64, 32u << 18 | 8u << 12 | 1u << 8 | 64};
    case 0x80000008:  // 32-bit physical and linear addresses, one core
      return {32u << 8 | 32, 0, 0, 0};
    default:
      return {};
  }
}

uint32_t default_hwcap() { return kFeaturesEdx; }

}  // namespace fl::emu
