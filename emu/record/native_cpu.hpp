// NativeCpu: the processor that a recording of real Linux was made on, as an i386 program sees it.
//
// CPUID decides which string functions a libc picks, and so which pages of it fault; the size of the floating-point
// state decides how many stack pages a signal frame takes. Standard library only: the small 32-bit recorder uses it
// too. Source: CPUID (Intel SDM vol. 2; AMD64 APM vol. 3, appendix E), getauxval(3).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fl::emu {

struct CpuidEntry {
  uint32_t leaf = 0, subleaf = 0, eax = 0, ebx = 0, ecx = 0, edx = 0;
  bool operator==(const CpuidEntry&) const = default;
};

struct NativeCpu {
  std::string brand;
  std::vector<CpuidEntry> cpuid;      // as a user program gets it; answers of four zeros are left out
  uint32_t hwcap = 0, hwcap2 = 0;     // AT_HWCAP, AT_HWCAP2 of an i386 program
  uint32_t signal_fpstate_bytes = 0;  // AT_MINSIGSTKSZ where the kernel has it; else 0
  bool operator==(const NativeCpu&) const = default;
};

// The processor this runs on. The number of the core (initial APIC ID), which differs from run to run, is given as 0.
NativeCpu read_host_cpu();

}  // namespace fl::emu
