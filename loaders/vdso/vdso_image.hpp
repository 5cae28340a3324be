// The vDSO images that the build has made, one for each kernel profile, and where their entry points stand.
//
// Linux counterpart: struct vdso_image (arch/x86/include/asm/vdso.h). An image is two pages, mapped readable and
// executable and never written; the data page that its functions read is vvar.hpp's, mapped read-only
// profile.vvar_pages pages below it. Neither is faulted in by fault-around (rule D6).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "vm/profile.hpp"

namespace fl::loaders {

inline constexpr uint32_t kVdsoPages = 2;

struct VdsoBinary {
  std::span<const std::byte> bytes;  // kVdsoPages pages, page-aligned
  // Offsets from the beginning of the image.
  uint32_t kernel_vsyscall;      // AT_SYSINFO; what the image calls its ELF entry point too
  uint32_t kernel_sigreturn;     // return address of a handler without SA_RESTORER
  uint32_t kernel_rt_sigreturn;  // the same with SA_SIGINFO
  // Return address of __kernel_vsyscall's int 0x80 (Linux: int80_landing_pad): EIP of a program in a system call.
  uint32_t int80_landing_pad;
};

// The image of that profile. Its addresses are found in its own symbol table; an image that lacks them is our bug.
VdsoBinary vdso_image(const vm::KernelProfile& profile);

}  // namespace fl::loaders
