// The auxiliary vector: what the kernel tells a new program besides its arguments. Linux counterpart: the NEW_AUX_ENT
// list of create_elf_tables (fs/binfmt_elf.c), ARCH_DLINFO_IA32, getauxval(3). The order is Linux's: its length decides
// which stack pages exec touches (rule C2).
#pragma once

#include <cstdint>
#include <vector>

#include "mmu/base/addr.hpp"
#include "vm/profile.hpp"

namespace fl::loaders {

// AT_* of <elf.h>.
enum class AuxType : uint32_t {
  kNull = 0,
  kPhdr = 3,
  kPhent = 4,
  kPhnum = 5,
  kPagesz = 6,
  kBase = 7,
  kFlags = 8,
  kEntry = 9,
  kUid = 11,
  kEuid = 12,
  kGid = 13,
  kEgid = 14,
  kPlatform = 15,
  kHwcap = 16,
  kClktck = 17,
  kSecure = 23,
  kRandom = 25,
  kHwcap2 = 26,
  kRseqFeatureSize = 27,
  kRseqAlign = 28,
  kExecfn = 31,
  kSysinfo = 32,
  kSysinfoEhdr = 33,
  kMinsigstksz = 51,
};

struct AuxValues {
  VirtAddr vsyscall;  // with vdso_base 0 neither is told
  VirtAddr vdso_base;
  uint32_t min_signal_stack = 0;
  uint32_t hwcap = 0;
  uint32_t hwcap2 = 0;
  VirtAddr phdr;
  uint32_t phnum = 0;
  VirtAddr interpreter_base;
  VirtAddr entry;
  uint32_t uid = 0, euid = 0, gid = 0, egid = 0;
  VirtAddr random;
  VirtAddr execfn;
  VirtAddr platform;
};

// Type, value, type, value, ..., AT_NULL, 0: as it stands on the stack.
std::vector<uint32_t> build_auxv(const AuxValues& values, const vm::KernelProfile& profile);

// The same as /proc/PID/auxv gives it. An x86-64 kernel looks for the end of a 32-bit vector two pairs at a time, so it
// may show one or two more empty pairs.
std::vector<uint32_t> proc_auxv(std::vector<uint32_t> auxv, const vm::KernelProfile& profile);

}  // namespace fl::loaders
