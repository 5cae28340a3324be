// DirectMap: the kernel's addresses of low memory. Frame 0 stands at PAGE_OFFSET, and low memory is contiguous on the
// host too, so a kernel object has one host pointer, one kernel virtual address and one frame, each computed from the
// others. Kernel objects that name one another in 32 bits (Page::mapping, the lists of slab objects) use the kernel
// virtual address, as on i386. Linux counterparts: __va, __pa, virt_to_page (arch/x86/include/asm/page.h).
#pragma once

#include <cstddef>

#include "mmu/base/addr.hpp"
#include "mmu/layout.hpp"
#include "mmu/ram.hpp"

namespace fl::vm {

class DirectMap {
 public:
  explicit DirectMap(const mmu::Ram& ram) : base_(ram.data()) {}

  // The kernel virtual address of something in low memory. Linux: __va(__pa(x)).
  VirtAddr address_of(const void* object) const {
    return VirtAddr(mmu::kPageOffset + static_cast<uint32_t>(static_cast<const std::byte*>(object) - base_));
  }
  // The host's pointer to what stands at a kernel virtual address of the direct map.
  template <typename T>
  T* pointer(VirtAddr address) const {
    return reinterpret_cast<T*>(base_ + (address.value() - mmu::kPageOffset));
  }
  // Linux: virt_to_pfn.
  Pfn pfn_of(const void* object) const {
    return Pfn(static_cast<uint32_t>((static_cast<const std::byte*>(object) - base_) >> kPageShift));
  }
  // The first byte of a low frame. Linux: page_address of a low page.
  std::byte* frame(Pfn pfn) const { return base_ + (uint64_t{pfn.value()} << kPageShift); }

 private:
  std::byte* base_;
};

}  // namespace fl::vm
