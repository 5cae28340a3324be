// AddressMap: where an address of the reference lies in our run.
//
// ASLR is off on both sides, so what differs is constant: profiles place the stack, the vDSO and the searched mappings
// at their own ends (KernelProfile::stack_top, mmap_base, address_shift); programs and heaps lie where the ELF file
// says. Linux: STACK_TOP, mm->mmap_base.
#pragma once

#include <cstdint>

#include "vm/profile.hpp"

namespace fl::emu {

class AddressMap {
 public:
  // `reference` is the profile of the kernel that the record was taken on, `ours` the one that is imitated.
  AddressMap(const vm::KernelProfile& reference, const vm::KernelProfile& ours);

  uint32_t to_ours(uint32_t real) const;
  uint32_t to_real(uint32_t ours) const;
  // Addresses are the same on both sides.
  bool identity() const { return identity_; }

 private:
  // Ends of the regions from the top down; what is below `high` is the same on both sides.
  struct Layout {
    uint64_t stack_top, mmap_base, vvar_end, mmap_end, high;
  };
  static Layout real_layout(const vm::KernelProfile& profile);
  static Layout our_layout(const vm::KernelProfile& profile);
  static uint32_t move(uint32_t address, const Layout& from, const Layout& to);

  Layout real_, ours_;
  bool identity_;
};

}  // namespace fl::emu
