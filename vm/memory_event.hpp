// MemoryEvent: what the memory system does besides handling faults, for who watches it. Linux counterparts: the
// tracepoints mm_vmscan_wakeup_kswapd, mm_vmscan_direct_reclaim_end, mm_vmscan_lru_shrink_*, writeback and oom
// mark_victim.
#pragma once

#include <cstdint>
#include <string_view>

#include "mmu/base/addr.hpp"

namespace fl::vm {

struct MemoryEvent {
  enum class Kind : uint8_t {
    kKswapdWake,  // node: an allocation found its zones below the low watermark
    kReclaim,     // kswapd (node) or a direct reclaimer has finished: scanned, reclaimed, priority
    kSwapOut,     // pfn was written to the slot of area `swap_type` at `swap_offset`; failed if it could not
    kWriteback,   // pfn, page `index` of the file with that inode number, was written; failed if it could not
    kOomKill,     // process `victim` was killed for its memory; `pages`: what its death brings
  };
  Kind kind = Kind::kReclaim;
  bool kswapd = false;
  bool failed = false;
  uint32_t node = 0;
  uint64_t scanned = 0, reclaimed = 0;  // pages
  int priority = 0;                     // how hard it had to look: 12 (a 4096th of each list a pass) to 0 (all)
  Pfn pfn{};
  uint32_t swap_type = 0, swap_offset = 0;
  uint64_t inode = 0, index = 0;
  uint32_t victim = 0;
  int64_t pages = 0;
};

// "kswapd_wake", "reclaim", "swap_out", "writeback", "oom_kill".
constexpr std::string_view event_name(MemoryEvent::Kind kind) {
  switch (kind) {
    case MemoryEvent::Kind::kKswapdWake:
      return "kswapd_wake";
    case MemoryEvent::Kind::kReclaim:
      return "reclaim";
    case MemoryEvent::Kind::kSwapOut:
      return "swap_out";
    case MemoryEvent::Kind::kWriteback:
      return "writeback";
    case MemoryEvent::Kind::kOomKill:
      return "oom_kill";
  }
  return "";
}

}  // namespace fl::vm
