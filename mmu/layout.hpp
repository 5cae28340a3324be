// The fixed address-space layout of the simulated i386 machine: 3 GiB user, 1 GiB kernel.
// Linux counterpart: arch/x86/include/asm/page_32_types.h, pgtable_32_areas.h.
#pragma once

#include "mmu/base/addr.hpp"

namespace fl::mmu {

// First kernel address; user space is everything below. Linux: PAGE_OFFSET, TASK_SIZE.
inline constexpr uint32_t kPageOffset = 0xC0000000u;
inline constexpr uint32_t kTaskSize = kPageOffset;
// Low memory is mapped at kPageOffset + physical address, up to this size; frames above are "high memory".
inline constexpr uint32_t kLowMemoryLimit = 896u << 20;

inline constexpr uint32_t kEntriesPerTable = 1024;
inline constexpr uint32_t kPgdirShift = 22;
// What one directory entry maps: 4 MiB.
inline constexpr uint32_t kPgdirSize = 1u << kPgdirShift;

constexpr uint32_t pgd_index(VirtAddr va) { return va.value() >> kPgdirShift; }
constexpr uint32_t pte_index(VirtAddr va) { return va.vpn() & (kEntriesPerTable - 1); }
constexpr bool is_kernel_address(VirtAddr va) { return va.value() >= kPageOffset; }
// The direct map. Linux: __va.
constexpr VirtAddr direct_map(PhysAddr pa) { return VirtAddr(kPageOffset + pa.value()); }

}  // namespace fl::mmu
