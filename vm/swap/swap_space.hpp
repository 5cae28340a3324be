// SwapSpace: all swap areas of the machine: adding and removing them, giving out slots by priority, counting who holds
// each, reading and writing them. Owned by MemorySystem. Linux counterparts: swap_info[], swap_active_head,
// swap_avail_heads, get_swap_pages, swap_duplicate, swap_free, swapcache_prepare, free_swap_and_cache, swapon, swapoff,
// si_swapinfo (mm/swapfile.c); swap_readpage, swap_writepage (mm/page_io.c).
//
// The life of a slot: get_swap_page (SWAP_HAS_CACHE only; its owner puts the page into the swap cache), swap_duplicate
// for each page-table entry that takes the place of a mapping, swapcache_free when the page leaves the swap cache,
// swapcache_prepare when it comes back into it, swap_free for each entry that becomes a page again or goes. The last
// of them frees it. An entry that is not in use where it must be is a bug of ours, not an error.
//
// A slot whose reading or writing failed is not given out again once it is free: it is marked bad, and the area is so
// much smaller (Linux would use it again). Priorities are Linux's: from 0 to 32767 if they were asked for; areas
// without one go down from -2 in the order of swapon, and move up when one before them goes. Simplified: NUMA nodes
// have no areas that they prefer.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "mmu/base/result.hpp"
#include "vm/swap/swap_area.hpp"
#include "vm/swap/swap_entry.hpp"
#include "vm/swap/swap_store.hpp"
#include "vm/swap/swap_user.hpp"

namespace fl::vm {

class PageAllocator;
class SlabAllocator;
class Vmalloc;

class SwapSpace {
 public:
  // `by_clusters`: KernelProfile::swap_clusters.
  SwapSpace(Vmalloc& vmalloc, SlabAllocator& slab, PageAllocator& pages, bool by_clusters = false)
      : vmalloc_(vmalloc), slab_(slab), pages_(pages), by_clusters_(by_clusters) {}
  SwapSpace(const SwapSpace&) = delete;
  SwapSpace& operator=(const SwapSpace&) = delete;
  ~SwapSpace();

  // Must outlive the areas; null: nobody.
  void set_user(SwapUser* user) { user_ = user; }

  // --- areas ---
  // Highest priority that can be asked for. Linux: SWAP_FLAG_PRIO_MASK.
  static constexpr int kMaxPriority = 0x7fff;
  // A new area behind those of the same priority; without one it gets the lowest. Its type. EINVAL: no valid header;
  // EBUSY: the store is an area already; EPERM: there are kMaxSwapFiles; ENOMEM; what the store answers when its header
  // is read.
  Result<uint32_t> swapon(std::shared_ptr<SwapStore> store, std::string_view name, std::optional<int> prio);
  // Takes the area out of use, has its pages brought in and removes it. EINVAL: no such area; EBUSY: slots are in use
  // that nobody brings in; what SwapUser::try_to_unuse answers. After an error the area is as before, but without a
  // priority that was asked for it is now the last.
  Status swapoff(uint32_t type);
  // Null: no area of that type, or with that store.
  const SwapArea* area(uint32_t type) const { return type < kMaxSwapFiles ? areas_[type].get() : nullptr; }
  const SwapArea* find(const SwapStoreId& id) const;
  // Calls visit(area) by type.
  template <typename Visit>
  void for_each_area(Visit&& visit) const {
    for (const SwapArea::Ptr& area : areas_) {
      if (area != nullptr) {
        visit(static_cast<const SwapArea&>(*area));
      }
    }
  }
  uint32_t area_count() const;
  // Some area rotates: reading ahead goes by slots, not by addresses. Linux: nr_rotate_swap.
  uint32_t nr_rotate_swap() const;

  // --- slots ---
  // ENOSPC: no area has a free one. Linux: get_swap_pages with SWAP_HAS_CACHE.
  Result<SwapEntry> get_swap_page();
  // A page-table entry more holds the slot. ENOMEM: its count outgrew its byte of the map, and there was no memory for
  // the rest without waiting: add_swap_count_continuation, then again. Never ENOMEM for the first 62.
  Status swap_duplicate(SwapEntry entry);
  // Makes that room; may reclaim with kGfpKernel. ENOMEM.
  Status add_swap_count_continuation(SwapEntry entry, Gfp gfp);
  // The slot, in the swap cache and held by nobody else, is of a page of shared memory: one holder, never more.
  void swap_shmem_alloc(SwapEntry entry);
  // A holder less.
  void swap_free(SwapEntry entry);
  // The same; if only the swap cache is left, SwapUser is asked to give the slot back.
  void free_swap_and_cache(SwapEntry entry);
  // The swap cache wants to hold the slot, too. EEXIST: it does already; ENOENT: nobody uses the slot (any more);
  // EINVAL: there is no such slot. Any entry is allowed.
  Status swapcache_prepare(SwapEntry entry);
  // The swap cache has lost the page. Linux: put_swap_folio.
  void swapcache_free(SwapEntry entry);

  // Holders, the swap cache apart; 0 also if there is no such slot. Linux: swp_swapcount.
  uint32_t swap_count(SwapEntry entry) const;
  bool has_cache(SwapEntry entry) const;
  // Calls visit(entry, count, has_cache) for each slot of an area that is in use, ascending. Slots may be freed
  // meanwhile.
  template <typename Visit>
  void for_each_slot(uint32_t type, Visit&& visit) const {
    for (uint32_t offset = 1; area(type) != nullptr && offset < area(type)->max(); ++offset) {
      if (const SwapArea& in = *area(type); in.in_use(offset)) {
        visit(SwapEntry{type, offset}, in.count(offset), in.has_cache(offset));
      }
    }
  }
  // The first slot in use behind `after` (0: of all); 0: none. Linux: find_next_to_unuse.
  uint32_t next_used(uint32_t type, uint32_t after) const;

  // --- pages ---
  // Moves one page and counts pswpin, pswpout. EIO or another error of the store: the slot is remembered as bad; what
  // was read must not be used, what was to be written is nowhere.
  Status read_page(SwapEntry entry, std::span<std::byte, 4096> bytes);
  Status write_page(SwapEntry entry, std::span<const std::byte, 4096> bytes);

  // --- totals, in pages ---
  // As SwapTotal and SwapFree say: with what areas that are being removed still hold. Linux: si_swapinfo.
  uint64_t total_swap_pages() const { return static_cast<uint64_t>(total_swap_pages_ + to_be_unused()); }
  uint64_t free_swap_pages() const { return static_cast<uint64_t>(nr_swap_pages_ + to_be_unused()); }
  // Slots that get_swap_page can still give, less those that areas that are being removed still hold; may be negative
  // then. Linux: get_nr_swap_pages.
  int64_t nr_swap_pages() const { return nr_swap_pages_; }
  // Slots are scarce: the swap cache shall not keep those of pages that are back. Linux: vm_swap_full.
  bool vm_swap_full() const { return nr_swap_pages_ * 2 < total_swap_pages_; }

 private:
  template <SwapArea::ListHook SwapArea::*Hook>
  using List = boost::intrusive::list<SwapArea, boost::intrusive::member_hook<SwapArea, SwapArea::ListHook, Hook>>;

  SwapArea& area_of(SwapEntry entry) const;
  template <typename Change>
  uint8_t change(SwapEntry entry, Change&& change);
  void enable(SwapArea& area, std::optional<int> prio);
  void disable(SwapArea& area);
  int64_t to_be_unused() const;

  Vmalloc& vmalloc_;
  SlabAllocator& slab_;
  PageAllocator& pages_;
  bool by_clusters_;
  SwapUser* user_ = nullptr;
  std::array<SwapArea::Ptr, kMaxSwapFiles> areas_;
  // By priority, the highest first: areas that can be written; those of them that are not full.
  List<&SwapArea::active_hook> active_;
  List<&SwapArea::avail_hook> avail_;
  int least_priority_ = -1;
  int64_t total_swap_pages_ = 0;
  int64_t nr_swap_pages_ = 0;
};

}  // namespace fl::vm
