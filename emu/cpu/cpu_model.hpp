// CpuModel: the processor that a program sees - what CPUID answers, AT_HWCAP, and how much floating-point state a
// signal frame has.
//
// CPUID decides which string functions a libc picks, and so which pages fault. The default is the same whatever the
// host is. A comparison takes the processor of the reference, less the instructions that the engine does not have.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/cpu/modify_access.hpp"
#include "emu/record/native_cpu.hpp"
#include "guest/signal/signal_state.hpp"

namespace fl::emu {

struct CpuidResult {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  bool operator==(const CpuidResult&) const = default;
};

struct CpuModel {
  std::string name;
  std::vector<CpuidEntry> cpuid;   // in order of leaf and subleaf; what is not there is zeros
  uint32_t hwcap = 0, hwcap2 = 0;  // AT_HWCAP (CPUID 1, edx) and AT_HWCAP2
  guest::SignalState signal_state;
  ModifyAccess modify = ModifyAccess::kWrite;

  // What the instruction answers. Leaves beyond the last one repeat it on Intel's processors and are zeros on AMD's.
  CpuidResult answer(uint32_t leaf, uint32_t subleaf) const;
};

// An AMD-like processor with SSE to SSE4.2 and POPCNT, without XSAVE, AVX, RDRAND and SYSENTER/SYSCALL. A kernel for it
// uses int 0x80 in its vDSO and 512-byte FXSAVE signal frames.
const CpuModel& default_cpu();

// A real processor without what the engine cannot do: as if the kernel had been started with "noxsave" (OSXSAVE is
// clear, the raw AVX and XSAVE bits stay: glibc tells Intel's families apart by them, and nobody may execute AVX
// without OSXSAVE), and without RDRAND, RDSEED, MOVBE, BMI, LZCNT, SHA and the like. The signal frame keeps its real
// size.
CpuModel cpu_model_of(const NativeCpu& cpu);

// "default"; "host", the processor this runs on; else a file that `faultline record` wrote.
HostResult<CpuModel> find_cpu(const std::string& name_or_file);

}  // namespace fl::emu
