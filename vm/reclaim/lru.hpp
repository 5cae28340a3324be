// Lru: putting pages on the lists of their node, or of their group there, and taking them off, and what a use of a page
// does to its place. Linux counterpart: mm/swap.c (folio_add_lru, folio_activate, folio_mark_accessed, lru_note_cost),
// include/linux/mm_inline.h (lruvec_add_folio, lruvec_del_folio, folio_lru_list).
//
// Which list a page belongs on say its flags: kUnevictable, else kSwapBacked and kActive. kLru tells that it is on it.
// Simplified: no per-CPU batches (pagevec): a page is on its list at once.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "vm/phys/page_allocator.hpp"
#include "vm/reclaim/lruvec.hpp"
#include "vm/reclaim/mem_cgroup.hpp"

namespace fl::vm {

class Lru {
 public:
  // `rotations_cost` as in KernelProfile.
  Lru(MemMap& mem_map, PageAllocator& pages, bool rotations_cost)
      : mem_map_(mem_map), pages_(pages), rotations_cost_(rotations_cost) {}

  static LruList list_of(const Page& page) {
    if (page.has(PageFlag::kUnevictable)) {
      return LruList::kUnevictable;
    }
    const uint32_t active = page.has(PageFlag::kActive) ? 1 : 0;
    return static_cast<LruList>((page.has(PageFlag::kSwapBacked) ? 0 : 2) + active);
  }

  // The page is on no list. To the front of the one that its flags name, or to the back: the next to be looked at.
  void add(Pfn pfn) { add_to(pfn, false); }
  void add_tail(Pfn pfn) { add_to(pfn, true); }
  // Off its list, if it is on one.
  void remove(Pfn pfn);
  // Another frame takes the page's place in the list. Both have the same flags.
  void replace(Pfn from, Pfn to);

  // To the active list. Linux: folio_activate.
  void activate(Pfn pfn);
  // Off the active list, to the front or the back of the inactive one. Linux: deactivate_page, deactivate_file_page.
  void deactivate(Pfn pfn);
  // Somebody used the page through a system call: the second use of an inactive page makes it active. Linux:
  // folio_mark_accessed.
  void mark_accessed(Pfn pfn);
  // A locked area maps the page, or none does any more. Linux: mlock_folio, munlock_folio.
  void mlock(Pfn pfn);
  void munlock(Pfn pfn);

  // Pages of a list in zones up to `highest`, whoever they are charged to. Linux: node_page_state.
  static uint64_t size(const Node& node, LruList list, ZoneType highest = ZoneType::kMovable);
  // Reclaim of this kind cost `io` pages written or read again, and `rotated` pages that it looked at in vain. Linux:
  // lru_note_cost.
  void note_cost(Lruvec& lruvec, bool file, uint32_t io, uint32_t rotated);
  Node& node_of(const Page& page) { return pages_.nodes()[page.node()]; }
  // The lists that the page belongs on. Linux: folio_lruvec.
  Lruvec& lruvec_of(const Page& page) {
    return page.has(PageFlag::kCharged) ? memcg_->lruvec(page.node()) : node_of(page).lruvec;
  }
  // Of the whole node for the lists of nobody; for a group's as of its last flush (MemCgroup). Linux:
  // lruvec_page_state.
  static LruvecState state(const Lruvec& lruvec);
  // Something left the lists for disk, or came back at once. Linux: workingset_age_nonresident.
  static void age_nonresident(Lruvec& lruvec);
  // The group that charged pages belong to.
  void set_memcg(MemCgroup* memcg) { memcg_ = memcg; }

 private:
  void add_to(Pfn pfn, bool back);
  void count(const Page& page, LruList list, int64_t delta);

  MemMap& mem_map_;
  PageAllocator& pages_;
  bool rotations_cost_;
  MemCgroup* memcg_ = nullptr;
};

}  // namespace fl::vm
