// Accounting of one page-table entry that maps a page: reference and map counts, resident-set counters, and what
// happens to a page when its last user goes. Linux counterpart: page_add_anon_rmap, page_add_file_rmap,
// page_remove_rmap, put_page.
#pragma once

#include "mmu/base/addr.hpp"
#include "mmu/pte.hpp"
#include "vm/mm/vm_area.hpp"

namespace fl::vm {

class AddressSpace;
class MemorySystem;
struct AnonVma;
struct Page;

// The AnonVma of an anonymous page. Linux: folio_anon_vma.
AnonVma& page_anon_vma(MemorySystem& memory, const Page& page);

// A fresh anonymous frame (one reference, from the allocator) gets its first mapping, at va of an area that has an
// AnonVma; it belongs to this address space alone and goes to the LRU lists. Linux: page_add_new_anon_rmap,
// lru_cache_add_inactive_or_unevictable.
void map_new_anon_page(VmArea& area, VirtAddr va, Pfn pfn);
// A page that came from swap is mapped at va; the caller's reference becomes the entry's. `exclusive`: nobody else maps
// it, nor will find it in swap. Linux:
// page_add_anon_rmap of do_swap_page.
void map_swap_page(VmArea& area, VirtAddr va, Pfn pfn, bool exclusive);
// The child's area of a fork maps the page too: an anonymous one is no longer one process's alone. Linux:
// page_try_dup_anon_rmap, page_dup_file_rmap.
void dup_mapping(VmArea& area, Pfn pfn);
// An anonymous page that this area alone still maps becomes wholly its own. Linux: page_move_anon_rmap.
void take_anon_page(VmArea& area, Pfn pfn);
// One more entry of the area maps this page-cache page.
void map_cache_page(VmArea& area, Pfn pfn);
// Somebody beside page tables, page cache and swap cache refers to the page: it must stay where it is. Linux:
// folio_expected_refs.
bool has_other_users(const Page& page);
// An entry that mapped a frame is gone (already cleared and flushed): counts it, releases the page.
// `old` is the entry as it was.
void unmap_page(VmArea& area, mmu::Pte old);
// The same when the page goes to swap: its address space does not lose it. Linux: page_remove_rmap and put_page in
// try_to_unmap_one.
void unmap_for_reclaim(VmArea& area, mmu::Pte old);
// Gives back a reference that is neither an entry's nor a cache's; whoever is the last frees the page, and its slot.
// Linux: put_page, free_page_and_swap_cache.
void put_page(MemorySystem& memory, Pfn pfn);

}  // namespace fl::vm
