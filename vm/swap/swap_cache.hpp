// SwapCache: pages that are in memory and have a slot in swap: on their way out, or back. Whoever faults on an entry
// whose page is here needs no I/O. Linux counterpart: mm/swap_state.c (swapper_spaces, add_to_swap,
// delete_from_swap_cache, free_swap_cache), folio_free_swap (mm/swapfile.c).
//
// A page of the swap cache has kSwapCache, its SwapEntry in Page::private_, and one reference of the cache. If it is
// mapped it is anonymous too; otherwise nothing else knows it. Invariant: find(entry) has a frame exactly if the slot
// has SWAP_HAS_CACHE.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/cache/page_tree.hpp"
#include "vm/swap/swap_entry.hpp"
#include "vm/swap/swap_user.hpp"

namespace fl::vm {

class MemorySystem;
struct Page;

class SwapCache final : public SwapUser {
 public:
  explicit SwapCache(MemorySystem& memory) : memory_(memory) {}

  // The frame that holds the entry's page, or kNoPage.
  uint32_t find(SwapEntry entry) const;
  // What an evicted page left (workingset.hpp).
  std::optional<uint32_t> shadow(SwapEntry entry) const;

  // A page that is to leave memory gets a slot. False: swap is full, or there is no memory for the tree. Linux:
  // add_to_swap.
  bool add_to_swap(Pfn pfn);
  // A fresh frame is to receive the entry's page: it enters the cache, which takes a reference. ENOMEM; EEXIST: the
  // page is there; ENOENT: nobody has the slot. Linux: the loop of __read_swap_cache_async.
  Status add(Pfn pfn, SwapEntry entry);
  // The page leaves the cache and keeps its contents; the slot is freed if nobody else holds it. With a shadow when
  // the page is being evicted. Its reference is the caller's. Linux: delete_from_swap_cache, __remove_mapping.
  void remove(Pfn pfn, std::optional<uint32_t> shadow = std::nullopt);
  // A page whose slot no page table holds any more needs none; it has a reference beside the cache's. Linux:
  // folio_free_swap. Not while it is under writeback.
  bool try_to_free_swap(Pfn pfn);
  // Nobody maps the page any more: frees it if nobody can come back for it either. Linux: free_swap_cache.
  void free_unused(Pfn pfn);
  // Another frame takes the page's place. For migration.
  void replace(Pfn from, Pfn to);
  // Copies the page to its slot; Pageout asks the disk. Linux: swap_writepage.
  Status write_page(Pfn pfn);

  uint32_t pages() const;
  static SwapEntry entry_of(const Page& page);

  // SwapUser.
  Status try_to_unuse(uint32_t type) override;
  bool try_to_reclaim_swap(SwapEntry entry, SwapReclaim when) override;
  void exit_swap_address_space(uint32_t type) override;
  void clear_shadow(SwapEntry entry) override;

 private:
  PageTree& tree(uint32_t type);
  // One round over all who have something in the area.
  Status unuse_once(uint32_t type);
  // The page enters, at a slot that has SWAP_HAS_CACHE; a failure gives that back. ENOMEM.
  Status enter(Pfn pfn, SwapEntry entry);
  const PageTree* tree_if(uint32_t type) const { return trees_[type].get(); }

  MemorySystem& memory_;
  // Linux: swapper_spaces, one for each area.
  std::array<std::unique_ptr<PageTree>, kMaxSwapFiles> trees_;
};

}  // namespace fl::vm
