// VdsoImage: the frames of the vDSO and of its data (vvar), made once at boot and shared by all address
// spaces; and mapping them. Linux counterpart: arch/x86/entry/vdso/vma.c (init_vdso_image, map_vdso),
// lib/vdso/datastore.c.
//
// What the pages hold is loaders/vdso's business. Simplified: of the vvar pages only the one with the clock
// data exists; the others (time namespace, paravirtual clocks) answer SIGBUS, as on a machine without them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/profile.hpp"

namespace fl::vm {
class MemorySystem;
}

namespace fl::loaders {

// Addresses that the kernel uses itself. In a VdsoImage offsets from its start, in a LoadedProgram absolute.
struct VdsoSymbols {
  VirtAddr sigreturn;     // __kernel_sigreturn
  VirtAddr rt_sigreturn;  // __kernel_rt_sigreturn
  VirtAddr vsyscall;      // __kernel_vsyscall: AT_SYSINFO
};

class VdsoImage {
 public:
  // Takes frames and copies the profile's image into them. ENOMEM. `memory` must outlive it, and it every
  // address space that maps it.
  static Result<std::unique_ptr<VdsoImage>> create(vm::MemorySystem& memory);
  VdsoImage(const VdsoImage&) = delete;
  VdsoImage& operator=(const VdsoImage&) = delete;
  ~VdsoImage();

  // Finds room below mmap_base as mmap would and maps vDSO and vvar; gives the address of the vDSO. Linux:
  // map_vdso.
  Result<VirtAddr> map(vm::AddressSpace& mm) const;
  VdsoSymbols symbols(VirtAddr base) const;

  // The page that the vDSO's clock functions read; its owner fills it. 4096 bytes.
  std::span<std::byte> clock_data() const;

 private:
  explicit VdsoImage(vm::MemorySystem& memory);

  vm::MemorySystem& memory_;
  vm::SpecialMapping vdso_;
  vm::SpecialMapping vvar_;
  vm::SpecialMapping vvar_vclock_;  // no frames on kernels without it
  VdsoSymbols offsets_;
};

}  // namespace fl::loaders
