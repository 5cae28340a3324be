// SwapEntry: a page's place in a swap area: which area, and which page of it. It stands where a page would: in a
// page-table entry, in the tree of a shared mapping, in struct page. Linux counterparts: swp_entry_t
// (include/linux/swapops.h), __swp_type, __swp_offset and __swp_entry (arch/x86/include/asm/pgtable-2level.h).
//
// In a page-table entry without PAE: bit 0 (present) and bit 8 (PROT_NONE) clear, the type in bits 1 to 5, the offset
// from bit 9 on, bit 7 the exclusive marker. Page 0 of an area is its header, so an entry is never all zero.
//
// The marker says that the page belonged to one process alone when it left (PG_anon_exclusive), so that a read brings
// it back writable without a copy. On i386 Linux has it since 6.3 only; on x86-64 since 5.19 (6.18-compat has it). A
// 6.1 i386 kernel's pte_swp_exclusive is always false.
#pragma once

#include <compare>
#include <cstdint>

#include "mmu/pte.hpp"

namespace fl::vm {

// Areas that can be in use at once. Linux: MAX_SWAPFILES: 32 less three types for migration and one for pages that
// could not be read (6.1 i386; neither device memory nor hardware poison nor PTE markers).
inline constexpr uint32_t kMaxSwapFiles = 28;
// Pages of the largest area: the bits of a page-table entry that hold the offset. Linux: generic_max_swapfile_size.
inline constexpr uint32_t kMaxSwapFilePages = 1u << 23;

struct SwapEntry {
  uint32_t type = 0;    // the area: below kMaxSwapFiles
  uint32_t offset = 0;  // the page of the area, from 1 on; 0: no entry

  constexpr explicit operator bool() const { return offset != 0; }
  // In 31 bits, so that it can be told from a page in a tree. Linux: swp_entry_t.val, with SWP_TYPE_SHIFT 26.
  constexpr uint32_t raw() const { return type << kRawTypeShift | offset; }
  static constexpr SwapEntry from_raw(uint32_t raw) {
    return {raw >> kRawTypeShift & 31, raw & ((1u << kRawTypeShift) - 1)};
  }
  constexpr auto operator<=>(const SwapEntry&) const = default;

 private:
  static constexpr uint32_t kRawTypeShift = 26;
};

inline constexpr uint32_t kPteSwapExclusive = 1u << 7;

constexpr mmu::Pte swp_entry_to_pte(SwapEntry entry) { return mmu::Pte(entry.offset << 9 | entry.type << 1); }
// Of an entry with Pte::swap().
constexpr SwapEntry pte_to_swp_entry(mmu::Pte pte) { return {pte.raw() >> 1 & 31, pte.raw() >> 9}; }

constexpr bool pte_swp_exclusive(mmu::Pte pte) { return (pte.raw() & kPteSwapExclusive) != 0; }
constexpr mmu::Pte pte_swp_mkexclusive(mmu::Pte pte) { return pte.with(kPteSwapExclusive); }
constexpr mmu::Pte pte_swp_clear_exclusive(mmu::Pte pte) { return pte.without(kPteSwapExclusive); }

}  // namespace fl::vm
