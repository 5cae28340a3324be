// The fixed address-space layout of the simulated i386 machine: 3 GiB user, 1 GiB kernel.
// Linux counterpart: arch/x86/include/asm/page_32_types.h, pgtable_32_areas.h.
#pragma once

#include "mmu/base/addr.hpp"

namespace fl::mmu {

// First kernel address; user space is everything below. Linux: PAGE_OFFSET, TASK_SIZE.
inline constexpr uint32_t kPageOffset = 0xC0000000u;
inline constexpr uint32_t kTaskSize = kPageOffset;

// From the top down, as a 6.1 kernel without PAE has it (its boot log, and /proc/vmallocinfo, agree):
// the fixmap, whose last page ends here,
inline constexpr uint32_t kFixaddrTop = 0xFFFFF000u;
inline constexpr uint32_t kCpuEntryAreaBase = 0xFF400000u;
inline constexpr uint32_t kLdtBase = 0xFF000000u;
// the window for kmap: LAST_PKMAP pages, one page table,
inline constexpr uint32_t kPkmapBase = 0xFEC00000u;
inline constexpr uint32_t kLastPkmap = 1024;
// vmalloc, down to the end of low memory and this hole,
inline constexpr uint32_t kVmallocEnd = kPkmapBase - 2 * kPageSize;
inline constexpr uint32_t kVmallocOffset = 8u << 20;
inline constexpr uint32_t kVmallocReserve = 128u << 20;
// and low memory, which is mapped at kPageOffset + physical address up to this size. Frames above are "high memory".
// Linux: MAXMEM; 875 MiB, though people say 896.
inline constexpr uint32_t kLowMemoryLimit = kVmallocEnd - kPageOffset - kVmallocReserve;

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
