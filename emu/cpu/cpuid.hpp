// The one processor that every guest sees, whatever the host is: CPUID decides which string functions a libc picks, and
// so which pages of it fault.
//
// An AMD-like processor with SSE to SSE4.2 and POPCNT, without XSAVE, AVX, RDRAND and SYSENTER/SYSCALL; every feature
// that it reports is implemented by the engine. A kernel for it uses int 0x80 in its vDSO and 512-byte FXSAVE signal
// frames.
#pragma once

#include <cstdint>

namespace fl::emu {

struct CpuidResult {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// What CPUID answers for a leaf and a subleaf (AMD64 Architecture Programmer's Manual, volume 3, appendix E).
CpuidResult default_cpuid(uint32_t leaf, uint32_t subleaf);

// Leaf 1, EDX: what Linux gives as AT_HWCAP.
uint32_t default_hwcap();

}  // namespace fl::emu
