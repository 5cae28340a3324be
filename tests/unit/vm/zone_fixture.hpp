// One zone with a buddy system, without a machine around it: struct pages at frame 0, frames [first, frames) free.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "mmu/ram.hpp"
#include "vm/phys/buddy.hpp"
#include "vm/phys/pcp.hpp"

namespace fl::vm::test {

using Blocks = std::map<uint32_t, uint32_t>;  // order -> free blocks, of orders that have any

struct ZoneFixture {
  mmu::Ram ram;
  MemMap map{ram, Pfn(0)};
  Buddy buddy{map};
  PcpLists pcp{map, buddy};
  Zone zone;
  std::vector<MigrateType> pageblocks;

  ZoneFixture(uint32_t first, uint32_t frames, uint32_t zone_start = 0) : ram(*mmu::Ram::create(frames)) {
    zone.start_pfn = zone_start;
    zone.spanned = frames - zone_start;
    zone.present = zone.managed = frames - first;
    pageblocks.assign(Zone::pageblocks_of(zone.start_pfn, zone.spanned), MigrateType::kMovable);
    zone.pageblocks = pageblocks;
    buddy.add_range(zone, Pfn(first), frames - first);
  }
  ZoneFixture(const ZoneFixture&) = delete;
  ZoneFixture& operator=(const ZoneFixture&) = delete;

  uint32_t alloc(uint32_t order, MigrateType type = MigrateType::kMovable) { return buddy.alloc(zone, order, type); }
  void free(uint32_t first, uint32_t order) { buddy.free(zone, Pfn(first), order); }

  Blocks blocks() const {
    Blocks counts;
    for (uint32_t order = 0; order <= kMaxOrder; ++order) {
      if (zone.free_area[order].nr_free != 0) {
        counts[order] = zone.free_area[order].nr_free;
      }
    }
    return counts;
  }
  // The same for one migrate type, counted along its lists.
  Blocks blocks(MigrateType type) const {
    Blocks counts;
    for (uint32_t order = 0; order <= kMaxOrder; ++order) {
      uint32_t count = 0;
      for (uint32_t at = zone.free_area[order].lists[index_of(type)].head; at != kNoPage; at = map[Pfn(at)].lru_next) {
        ++count;
      }
      if (count != 0) {
        counts[order] = count;
      }
    }
    return counts;
  }
};

}  // namespace fl::vm::test
