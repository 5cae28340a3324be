// SwapArea: one swap area and the use of each of its pages (slots). Linux counterpart: struct swap_info_struct with its
// swap_map, scan_swap_map_slots, __swap_duplicate, __swap_entry_free_locked (mm/swapfile.c).
//
// A slot's byte in the swap map (in vmalloc memory) is the number of page-table entries, or pages of shared memory,
// that hold it, up to SWAP_MAP_MAX (a larger count goes on in SwapNotes), with SWAP_HAS_CACHE if the swap cache holds
// it too. Invariant: inuse_pages() slots have a byte other than 0 and SWAP_MAP_BAD; all free ones lie between
// lowest_bit and highest_bit.
//
// Which slots are given out depends on the kernel. 6.1: one after the other, and after each 256 from the first place
// where so many are free together. Since 6.13: by clusters (swap_clusters.hpp). Simplified: 6.1 handles areas that do
// not rotate in the same way (Linux gives each CPU a cluster); no per-CPU cache of slots (mm/swap_slots.c); nothing is
// discarded.
//
// Owned by SwapSpace, which knows all areas together.
#pragma once

#include <algorithm>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "mmu/base/check.hpp"
#include "mmu/base/result.hpp"
#include "vm/kernel_space/vmalloc.hpp"
#include "vm/slab/stl_allocator.hpp"
#include "vm/swap/swap_clusters.hpp"
#include "vm/swap/swap_entry.hpp"
#include "vm/swap/swap_header.hpp"
#include "vm/swap/swap_notes.hpp"
#include "vm/swap/swap_store.hpp"

namespace fl::vm {

// A byte of the swap map. Linux: include/linux/swap.h.
struct SwapMap {
  static constexpr uint8_t kHasCache = 0x40;        // SWAP_HAS_CACHE
  static constexpr uint8_t kCountContinued = 0x80;  // COUNT_CONTINUED
  static constexpr uint8_t kCountMask = 0x3f;
  static constexpr uint8_t kMax = 0x3e;    // SWAP_MAP_MAX
  static constexpr uint8_t kBad = 0x3f;    // SWAP_MAP_BAD
  static constexpr uint8_t kShmem = 0xbf;  // SWAP_MAP_SHMEM: held by one page of shared memory, for ever one
};
// Pages of a cluster. Linux: SWAPFILE_CLUSTER without CONFIG_THP_SWAP.
inline constexpr uint32_t kSwapfileCluster = 256;

class SwapArea {
 public:
  using ListHook = boost::intrusive::list_member_hook<>;
  struct Deleter {
    SlabAllocator* slab = nullptr;
    void operator()(SwapArea* area) const;
  };
  using Ptr = std::unique_ptr<SwapArea, Deleter>;
  // In kmalloc memory. ENOMEM. `by_clusters`: as kernels since 6.13 do it.
  static Result<Ptr> create(Vmalloc& vmalloc, SlabAllocator& slab, uint32_t type, std::shared_ptr<SwapStore> store,
                            std::string_view name, const SwapLayout& layout, bool by_clusters);
  SwapArea(const SwapArea&) = delete;
  SwapArea& operator=(const SwapArea&) = delete;

  uint32_t type() const { return type_; }
  // As /proc/swaps shows it.
  std::string_view name() const { return name_; }
  SwapStore& store() const { return *store_; }
  const std::shared_ptr<SwapStore>& shared_store() const { return store_; }
  // Slots that can be used, and that are.
  uint32_t pages() const { return pages_; }
  uint32_t inuse_pages() const { return inuse_pages_; }
  uint32_t max() const { return max_; }
  bool full() const { return highest_bit_ == 0; }

  // A free slot becomes used with SWAP_HAS_CACHE and nothing else; 0: there is none. `retry(offset)` is asked for slots
  // that only the swap cache holds when swap is full; true: it has freed that slot. Linux: scan_swap_map_slots,
  // cluster_alloc_swap_entry.
  template <typename Retry>
  uint32_t take_slot(Retry&& retry) {
    if (!write_ok || highest_bit_ == 0) {
      return 0;
    }
    return clusters_ ? scan_clusters(retry) : scan_swap_map(retry);
  }

  // One more holder. ENOENT: nobody has the slot; EINVAL: no such slot, or it is of shared memory; ENOMEM: its count
  // outgrows the byte.
  Status duplicate(uint32_t offset);
  // The slot that is in the swap cache is of shared memory. Linux: swap_shmem_alloc.
  void mark_shmem(uint32_t offset);
  // Sets SWAP_HAS_CACHE. EEXIST: it is set; ENOENT: nobody has the slot; EINVAL: no such slot.
  Status set_cached(uint32_t offset);
  // One holder less; SWAP_HAS_CACHE off. What is left: 0 after the last user: the slot is free, or bad if it failed.
  uint8_t release(uint32_t offset);
  uint8_t clear_cached(uint32_t offset);
  // Makes room for the count of a slot to outgrow the byte. ENOMEM. Linux: add_swap_count_continuation.
  Status add_count_continuation(uint32_t offset, Gfp gfp);

  // The byte; 0 for what lies outside.
  uint8_t map(uint32_t offset) const { return offset < max_ ? map_[offset] : 0; }
  bool has_cache(uint32_t offset) const { return used(map(offset)) && (map(offset) & SwapMap::kHasCache) != 0; }
  // How many hold it, the swap cache apart; exact. Linux: swp_swapcount.
  uint32_t count(uint32_t offset) const;
  bool in_use(uint32_t offset) const { return used(map(offset)); }
  // I/O of a slot in use failed: it will not be used again.
  void note_failure(uint32_t offset) { notes_.note_failure(offset); }

  // --- SwapSpace's ---
  int prio = 0;
  bool write_ok = false;  // slots may be taken. Linux: SWP_WRITEOK
  ListHook active_hook, avail_hook;

 private:
  SwapArea(SlabAllocator& slab, VmallocArray<uint8_t> map, std::optional<SwapClusters> clusters, uint32_t type,
           std::shared_ptr<SwapStore> store, std::string_view name, const SwapLayout& layout);
  static bool used(uint8_t byte) { return byte != 0 && (byte & ~SwapMap::kHasCache) != SwapMap::kBad; }
  template <typename Retry>
  bool take(uint32_t offset, Retry&& retry);
  template <typename Retry>
  uint32_t scan_swap_map(Retry&& retry);
  template <typename Retry>
  uint32_t scan_clusters(Retry&& retry);
  template <typename Retry>
  uint32_t scan_cluster(uint32_t offset, Retry&& retry);
  void choose_cluster();
  void range_alloc(uint32_t offset);
  void range_free(uint32_t offset);
  uint8_t store_or_free(uint32_t offset, uint8_t byte);

  VmallocArray<uint8_t> map_;
  std::optional<SwapClusters> clusters_;
  SwapNotes notes_;
  std::shared_ptr<SwapStore> store_;
  SlabString name_;
  uint32_t type_;
  uint32_t max_;
  uint32_t pages_;
  uint32_t inuse_pages_ = 0;
  uint32_t lowest_bit_ = 1;    // no free slot lies below
  uint32_t highest_bit_;       // nor above; 0: full
  uint32_t cluster_next_ = 1;  // where to look next
  uint32_t cluster_nr_ = 0;    // slots until a new cluster is looked for
};

// Takes the slot if it is free, or becomes so.
template <typename Retry>
bool SwapArea::take(uint32_t offset, Retry&& retry) {
  if (map_[offset] == SwapMap::kHasCache && retry(offset)) {
    FL_CHECK(map_[offset] == 0 || map_[offset] == SwapMap::kBad, "swap slot {:#x} was not freed", offset);
  }
  if (map_[offset] != 0) {
    return false;
  }
  map_[offset] = SwapMap::kHasCache;
  range_alloc(offset);
  return true;
}

template <typename Retry>
uint32_t SwapArea::scan_swap_map(Retry&& retry) {
  choose_cluster();
  uint32_t base = cluster_next_;
  if (base > highest_bit_) {
    base = lowest_bit_;
  }
  // From the base to the end, then from the start to the base. The bounds may move: a slot was freed.
  for (uint32_t offset = base; offset <= highest_bit_; ++offset) {
    if (take(offset, retry)) {
      cluster_next_ = offset + 1;
      return offset;
    }
  }
  for (uint32_t offset = lowest_bit_; offset < base; ++offset) {
    if (take(offset, retry)) {
      cluster_next_ = offset + 1;
      return offset;
    }
  }
  return 0;
}

// Linux: cluster_alloc_swap_entry.
template <typename Retry>
uint32_t SwapArea::scan_clusters(Retry&& retry) {
  using List = SwapClusters::List;
  if (const uint32_t next = clusters_->next(); next != 0) {
    const uint32_t cluster = SwapClusters::cluster_of(next);
    const uint32_t first = clusters_->empty(cluster) ? SwapClusters::first_slot(cluster) : next;
    if (const uint32_t found = scan_cluster(first, retry); found != 0) {
      return found;
    }
  }
  for (const List list : {List::kNonfull, List::kFree, List::kFull, List::kFrag}) {
    // Of a full cluster only those slots come free that the swap cache can do without.
    while (const auto cluster = clusters_->isolate(list)) {
      if (const uint32_t found = scan_cluster(SwapClusters::first_slot(*cluster), retry); found != 0) {
        return found;
      }
      if (list != List::kNonfull) {
        break;
      }
    }
  }
  return 0;
}

// From this slot to the end of its cluster. Linux: alloc_swap_scan_cluster.
template <typename Retry>
uint32_t SwapArea::scan_cluster(uint32_t offset, Retry&& retry) {
  const uint32_t cluster = SwapClusters::cluster_of(offset);
  const uint32_t end = std::min(SwapClusters::first_slot(cluster) + SwapClusters::kSlots, max_);
  while (offset < end && !take(offset, retry)) {
    ++offset;
  }
  const bool found = offset < end;
  clusters_->set_next(found && offset + 1 < end && !clusters_->full(cluster) ? offset + 1 : 0);
  clusters_->relocate(cluster);
  return found ? offset : 0;
}

}  // namespace fl::vm
