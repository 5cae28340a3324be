// EvictionPolicy: which pages of a node or group leave memory first. Chosen by --reclaim; everything else of reclaim is
// the same for all. Linux has one, shrink_lruvec's two lists (mm/vmscan.c).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "vm/phys/node.hpp"
#include "vm/reclaim/evict.hpp"

namespace fl::vm {

class MemorySystem;

class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;
  // One pass over the pages of these lists at scan.priority: until about scan.nr_to_reclaim of them are free or the
  // pass is over. Adds to scan.nr_scanned and nr_reclaimed.
  virtual void shrink_lruvec(MemorySystem& memory, Lruvec& lruvec, ScanControl& scan) = 0;
  // What keeps lists in balance although nothing needs to be reclaimed: kswapd asks it. Linux: kswapd_age_node.
  virtual void age(MemorySystem&, Lruvec&, ScanControl&) {}
};

// "lru": Linux's active and inactive list of anonymous and of file pages, balanced by what each kind costs.
std::unique_ptr<EvictionPolicy> make_two_list_policy();
// "clock": all pages of a node in one circle; a page that was used since the hand's last visit is passed by.
std::unique_ptr<EvictionPolicy> make_clock_policy();
// "fifo": the page that came first goes first, used or not. To compare with.
std::unique_ptr<EvictionPolicy> make_fifo_policy();
// By name; null for any other. The names of all.
std::unique_ptr<EvictionPolicy> make_policy(std::string_view name);
std::span<const std::string_view> policy_names();

// --- for policies ---
// Up to `count` pages from the back of a list that are in zones up to scan.highest, off the list, oldest first; others
// go to its front. Linux: isolate_lru_folios.
struct Isolated {
  std::array<Pfn, ScanControl::kSwapClusterMax> pages;
  uint32_t count = 0;
  std::span<const Pfn> all() const { return {pages.data(), count}; }
};
Isolated isolate_pages(MemorySystem& memory, Lruvec& lruvec, LruList list, uint32_t count, ScanControl& scan);
// Evicts what it can of pages that are on no list and puts the others back; how many were freed, and how many are being
// written for it. Linux: shrink_folio_list, move_folios_to_lru.
struct Evicted {
  uint32_t freed = 0;
  uint32_t written = 0;
};
Evicted evict_pages(MemorySystem& memory, std::span<const Pfn> pages, ScanControl& scan);

}  // namespace fl::vm
