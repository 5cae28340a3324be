// The formulas for watermarks, reserves and the sizes of per-CPU lists, as functions of the zones' managed sizes.
//
// Linux counterparts in mm/page_alloc.c: calculate_min_free_kbytes, __setup_per_zone_wmarks,
// setup_per_zone_lowmem_reserve, zone_batchsize, zone_highsize; in mm/khugepaged.c: set_recommended_min_free_kbytes.
// Sizes are in pages unless the name says otherwise. Simplified: watermark_boost_factor is 0 (nothing boosts).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "vm/phys/zone_type.hpp"

namespace fl::vm {

// How low a zone's free pages may fall: min for allocations that may reclaim, low wakes kswapd, high puts it to sleep.
struct Watermarks {
  uint32_t min = 0;
  uint32_t low = 0;
  uint32_t high = 0;
  friend bool operator==(const Watermarks&, const Watermarks&) = default;
};

using ZoneCounts = std::array<uint32_t, kZoneTypes>;

// /proc/sys/vm, with Linux's defaults for i386.
struct WatermarkSettings {
  uint32_t min_free_kbytes = 0;
  uint32_t watermark_scale_factor = 10;  // in 1/10000 of a zone
  ZoneCounts lowmem_reserve_ratio = {256, 32, 0, 0};
};

// The default of min_free_kbytes for a machine with so many pages of low memory above its high watermarks.
uint32_t calculate_min_free_kbytes(uint64_t lowmem_pages);

// What khugepaged raises it to when transparent huge pages are on: a page block for each migrate type to fall back to
// in each zone, at most 5 % of low memory. The result is never below `min_free_kbytes`.
uint32_t khugepaged_min_free_kbytes(uint32_t min_free_kbytes, uint32_t populated_zones, uint64_t lowmem_pages);

// What min_free_kbytes is once a machine without huge pages has booted; `nodes`: the managed sizes of each node's
// zones. It is computed first while there are no watermarks. On a machine of 512 MiB and more khugepaged looks at it
// once more and, finding huge pages off, computes it again, now without the pages that the watermarks keep free.
uint32_t min_free_kbytes_at_boot(std::span<const ZoneCounts> nodes);

// `highmem` for HighMem, and for Movable on a machine whose movable memory is high memory.
// `lowmem_managed`: pages of all zones that are not highmem, over all nodes.
Watermarks zone_watermarks(uint32_t managed, bool highmem, uint64_t lowmem_managed, const WatermarkSettings& settings);

// How many pages zone `zone` of a node keeps back from allocations that could have used each higher zone of that node.
// `managed`: the node's zones.
ZoneCounts lowmem_reserve(ZoneType zone, const ZoneCounts& managed, const WatermarkSettings& settings);

// How many pages move between per-CPU lists and the buddy system at once; and above how many they go back.
uint32_t zone_batchsize(uint32_t managed);
uint32_t zone_highsize(uint32_t low_watermark, uint32_t batch, uint32_t cpus);

}  // namespace fl::vm
