// How hard one attempt to allocate may try: which watermark holds, and how far below it is allowed. Linux counterparts:
// ALLOC_* in mm/internal.h, __zone_watermark_ok, gfp_to_alloc_flags.
#pragma once

#include <cstdint>

#include "vm/phys/gfp.hpp"
#include "vm/phys/zone.hpp"

namespace fl::vm {

struct AllocFlag {
  enum Bit : uint32_t {
    kWmarkMin = 0,
    kWmarkLow = 1,
    kNoWatermarks = 0x04,  // everything there is
    kHarder = 0x10,        // a quarter of what is kept
    kHigh = 0x20,          // half of it
  };
};

// What an allocation may do once the low watermark has been reached.
constexpr uint32_t alloc_flags_of(Gfp gfp) {
  uint32_t flags = AllocFlag::kWmarkMin;
  flags |= gfp.has(kGfpHigh) ? uint32_t{AllocFlag::kHigh} : 0;
  flags |= gfp.has(kGfpAtomicBit) && !gfp.has(kGfpNoMemalloc) ? uint32_t{AllocFlag::kHarder} : 0;
  flags |= gfp.has(kGfpMemalloc) && !gfp.has(kGfpNoMemalloc) ? uint32_t{AllocFlag::kNoWatermarks} : 0;
  return flags;
}

// Whether the zone, after giving 2^order frames, still has what must stay free: `mark` pages and what it reserves from
// allocations that could have used `highest`. For order > 0 a large enough block must be free, too.
inline bool zone_watermark_ok(const Zone& zone, uint32_t order, uint32_t mark, ZoneType highest, uint32_t flags) {
  int64_t min = mark;
  if ((flags & AllocFlag::kHigh) != 0) {
    min -= min / 2;
  }
  if ((flags & AllocFlag::kHarder) != 0) {
    min -= min / 4;
  }
  const int64_t free_pages = zone.stat[ZoneStat::kNrFreePages] - ((int64_t{1} << order) - 1);
  if (free_pages <= min + zone.lowmem_reserve[index_of(highest)]) {
    return false;
  }
  if (order == 0) {
    return true;
  }
  for (uint32_t larger = order; larger <= kMaxOrder; ++larger) {
    const FreeArea& area = zone.free_area[larger];
    if (area.nr_free == 0) {
      continue;
    }
    for (uint32_t type = 0; type < kPcpTypes; ++type) {
      if (!area.lists[type].empty()) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace fl::vm
