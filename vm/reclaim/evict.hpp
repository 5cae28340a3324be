// One page's way out of memory: has it been used, can it go, where to. Linux counterpart: shrink_folio_list and what it
// calls: folio_check_references, folio_referenced, add_to_swap, try_to_unmap, pageout, __remove_mapping (mm/vmscan.c,
// mm/rmap.c).
//
// Order: slot, entries, flush, write, free. A page that somebody holds a reference to, beside page tables and caches,
// stays. A page that had to be written goes when it is looked at next (Pageout); who faults meanwhile finds it in the
// swap cache. Simplified: a page of a file is written when its write returns.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "vm/phys/zone_type.hpp"

namespace fl::vm {

class MemCgroup;
class MemorySystem;

// So often reclaim may find nothing before who needs pages gives up. Linux: MAX_RECLAIM_RETRIES.
inline constexpr uint32_t kMaxReclaimRetries = 16;

// One run of reclaim: what it may do, and what came of it. Linux: struct scan_control.
struct ScanControl {
  static constexpr int kDefPriority = 12;
  static constexpr uint32_t kSwapClusterMax = 32;

  uint64_t nr_to_reclaim = kSwapClusterMax;
  // Pages of higher zones do not help the allocation. Linux: reclaim_idx.
  ZoneType highest = ZoneType::kMovable;
  // Each pass looks at 1 / 2^priority of the lists.
  int priority = kDefPriority;
  bool may_swap = true;
  bool kswapd = false;
  // Whose pages are wanted back; null: the machine's. Linux: target_mem_cgroup.
  MemCgroup* memcg = nullptr;
  bool ignore_references = false;  // MADV_PAGEOUT: whatever was used
  bool force_deactivate = false;
  bool by_advice = false;  // these pages and no others: nobody is asked

  // Set by a pass.
  bool may_deactivate_anon = false;
  bool may_deactivate_file = false;
  bool skipped_deactivate = false;
  bool cache_trim_mode = false;
  bool file_is_tiny = false;
  uint64_t anon_cost = 0, file_cost = 0;
  uint64_t nr_scanned = 0;
  uint64_t nr_reclaimed = 0;
  // Of the inactive pages that a pass looked at: all; those that were being written; those of kswapd's that it has
  // met under writeback before, while everything else was, too. Linux: nr.taken, nr.writeback, nr.immediate.
  uint64_t nr_taken = 0, nr_writeback = 0, nr_immediate = 0;
  bool all_writeback = false;  // a pass of this run met nothing else. Linux: PGDAT_WRITEBACK
};

// Where a page belongs after somebody looked at it.
enum class Verdict : uint8_t {
  kFreed,
  kActivate,  // it is in use, or cannot go: to the active list
  kKeep,      // to the front of the inactive list
  kWritten,   // written out: to the inactive list, to its back when the disk is done with it
};

// Entries that used the page since somebody looked last; their A bits are cleared, and the processor will set them
// again. `executable`, `locked`: some area that maps it is. Linux: folio_referenced.
struct References {
  uint32_t entries = 0;
  bool executable = false;
  bool locked = false;
};
References page_referenced(MemorySystem& memory, Pfn pfn);

// Tries to get rid of a page that is on no LRU list. If it is not kFreed it is still on none.
Verdict evict_page(MemorySystem& memory, Pfn pfn, ScanControl& scan);

// Takes all entries of the page away: an anonymous page's, which is in the swap cache, become swap entries. False: some
// could not (no memory for a large count); those that are gone stay so. Linux: try_to_unmap.
bool try_to_unmap(MemorySystem& memory, Pfn pfn);

}  // namespace fl::vm
