// The fixmap: pages at addresses that are known when the kernel is compiled, counted from the top down. Linux
// counterpart: arch/x86/include/asm/fixmap.h, of which only the slots for short mappings of high pages are needed.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "mmu/layout.hpp"

namespace fl::vm {

// Slots for mappings that nest. Linux: KM_MAX_IDX.
inline constexpr uint32_t kKmapLocalSlots = 16;
// Index 0 stays a hole, so that the last page of addresses is never mapped. Linux: FIX_HOLE, FIX_KMAP_BEGIN.
inline constexpr uint32_t kFixKmapBegin = 1;
inline constexpr uint32_t kFixKmapEnd = kFixKmapBegin + kKmapLocalSlots - 1;

// Linux: __fix_to_virt.
constexpr VirtAddr fix_to_virt(uint32_t index) { return VirtAddr(mmu::kFixaddrTop - (index << kPageShift)); }

}  // namespace fl::vm
