// KernelMappings: everything that maps memory above the kernel's direct map, made together at boot.
#pragma once

#include "vm/kernel_space/kernel_space.hpp"
#include "vm/kernel_space/kmap.hpp"
#include "vm/kernel_space/kmap_local.hpp"
#include "vm/kernel_space/vmalloc.hpp"

namespace fl::vm {

struct KernelMappings {
  KernelMappings(const mmu::Ram& ram, mmu::Mmu& mmu, const mmu::KernelMap& kernel_map, PageAllocator& pages,
                 SlabAllocator& slab)
      : space(ram, mmu, kernel_map, pages), slots(space), kmap(space), vmalloc(space, slab) {}

  KernelSpace space;
  KmapSlots slots;
  Kmap kmap;
  Vmalloc vmalloc;
};

}  // namespace fl::vm
