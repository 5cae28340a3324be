// From VMA flags to the bits of a page-table entry. Linux counterpart: protection_map, vm_get_page_prot,
// vma_set_page_prot, pte_modify.
#pragma once

#include <cstdint>

#include "mmu/pte.hpp"
#include "vm/mm/vm_area.hpp"
#include "vm/profile.hpp"

namespace fl::vm {

// The bits that a new entry of this area gets for a page that it may not write yet, or may (shared memory). A private
// area never gets kWritable here (copy on write), nor does a shared file area (the first store is noted: page_mkwrite).
uint32_t page_protection(const VmArea& area, const KernelProfile& profile);

// The entry with the area's present protection; keeps frame, A, D and kSpecial. Linux: pte_modify.
mmu::Pte pte_modify(mmu::Pte pte, uint32_t protection);

}  // namespace fl::vm
