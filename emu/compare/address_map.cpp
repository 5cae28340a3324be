// The regions of an address space without ASLR, from the top: stack, vDSO, vvar, mappings; below them the program.
#include "emu/compare/address_map.hpp"

#include "mmu/base/addr.hpp"

namespace fl::emu {
namespace {

constexpr uint64_t kVdsoPages = 2;
// The room that the profiles give to searched mappings before a program's own places begin.
constexpr uint64_t kMappingBytes = uint64_t{0x37ffe000};

}  // namespace

AddressMap::Layout AddressMap::our_layout(const vm::KernelProfile& profile) {
  Layout layout{};
  layout.stack_top = profile.stack_top.value();
  layout.mmap_base = profile.mmap_base.value();
  layout.vvar_end = layout.mmap_base - kVdsoPages * kPageSize;
  layout.mmap_end = layout.vvar_end - uint64_t{profile.vvar_pages} * kPageSize;
  layout.high = layout.mmap_base - kMappingBytes;
  return layout;
}

AddressMap::Layout AddressMap::real_layout(const vm::KernelProfile& profile) {
  Layout layout = our_layout(profile);
  for (uint64_t* end : {&layout.stack_top, &layout.mmap_base, &layout.vvar_end, &layout.mmap_end, &layout.high}) {
    *end += profile.address_shift;
  }
  return layout;
}

AddressMap::AddressMap(const vm::KernelProfile& reference, const vm::KernelProfile& ours)
    : real_(real_layout(reference)),
      ours_(our_layout(ours)),
      identity_(&reference == &ours && reference.address_shift == 0) {}

uint32_t AddressMap::move(uint32_t address, const Layout& from, const Layout& to) {
  uint64_t from_end = from.mmap_end, to_end = to.mmap_end;
  if (address < from.high) {
    return address;
  }
  if (address >= from.mmap_base) {
    from_end = from.stack_top;
    to_end = to.stack_top;
  } else if (address >= from.vvar_end) {
    from_end = from.mmap_base;
    to_end = to.mmap_base;
  } else if (address >= from.mmap_end) {
    from_end = from.vvar_end;
    to_end = to.vvar_end;
  }
  return static_cast<uint32_t>(address + to_end - from_end);
}

uint32_t AddressMap::to_ours(uint32_t real) const { return identity_ ? real : move(real, real_, ours_); }
uint32_t AddressMap::to_real(uint32_t ours) const { return identity_ ? ours : move(ours, ours_, real_); }

}  // namespace fl::emu
