// What a page-table entry maps, as /proc/PID/smaps and pagemap tell of it. Linux counterparts: vm_normal_page,
// page_mapcount.
//
// The vDSO's pages are entries without bookkeeping here, but ordinary pages of a file to Linux, which also counts them
// in a process's resident set: they are counted when somebody asks.
#pragma once

#include <cstdint>
#include <optional>

#include "mmu/base/addr.hpp"
#include "mmu/pte.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::guest {

struct MappedPage {
  bool anonymous = false;
  bool shmem = false;
  bool dirty = false;     // the page; its entry may be besides
  bool given_up = false;  // by MADV_FREE: it need not go to swap
  uint32_t mapcount = 0;
};

// What the present entry `pte` of an address inside `area` maps; nothing for the zero page and for frames that are no
// pages (VM_PFNMAP).
std::optional<MappedPage> mapped_page(vm::AddressSpace& mm, const vm::VmArea& area, VirtAddr va, mmu::Pte pte);

// mm.use() with the vDSO's pages. Linux: get_mm_counter.
vm::MemoryUse resident_use(const vm::AddressSpace& mm);

}  // namespace fl::guest
