// Zone: a range of frames of one node that is good for the same purposes, with its free lists, per-CPU lists,
// watermarks and counters. Linux counterpart: struct zone.
//
// Zones stand in simulated RAM, in memory that memblock gave at boot, so they own nothing that needs a destructor.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "mmu/base/addr.hpp"
#include "vm/phys/page_list.hpp"
#include "vm/phys/vm_stat.hpp"
#include "vm/phys/watermark.hpp"
#include "vm/phys/zone_type.hpp"

namespace fl::vm {

// The free blocks of one order. Linux: struct free_area.
struct FreeArea {
  std::array<PageList, kMigrateTypes> lists;
  uint32_t nr_free = 0;  // blocks, of all types
};

// Free pages kept aside for the CPU: a list for each migrate type and order, so that most allocations touch no free
// area. Linux: struct per_cpu_pages.
struct PerCpuPages {
  // Orders 0 to kCostlyOrder of each type, and one list of whole page blocks.
  static constexpr uint32_t kLists = kPcpTypes * (kCostlyOrder + 1) + 1;
  std::array<PageList, kLists> lists;
  uint32_t count = 0;  // pages in all lists
  uint32_t high = 0;   // from here on pages go back
  uint32_t batch = 1;  // so many at a time
  uint32_t free_factor = 0;

  static constexpr bool holds(uint32_t order) { return order <= kCostlyOrder || order == kPageblockOrder; }
  // Linux: order_to_pindex, pindex_to_order.
  static constexpr uint32_t list_of(MigrateType type, uint32_t order) {
    return order == kPageblockOrder ? kLists - 1 : kPcpTypes * order + index_of(type);
  }
  static constexpr uint32_t order_of(uint32_t list) { return list == kLists - 1 ? kPageblockOrder : list / kPcpTypes; }
};

struct Zone {
  ZoneType type = ZoneType::kDma;
  uint32_t node = 0;
  uint32_t start_pfn = 0;
  uint32_t spanned = 0;  // frames from the first to the last
  uint32_t present = 0;  // of these, memory
  uint32_t managed = 0;  // of these, given to the buddy system
  Watermarks watermark;
  ZoneCounts lowmem_reserve{};  // by the highest zone that an allocation could have used

  std::array<FreeArea, kMaxOrder + 1> free_area;
  PerCpuPages pcp;
  ZoneStats stat;
  NumaStats numa;
  // The migrate type of each page block, the first being the one that start_pfn lies in. In simulated RAM.
  std::span<MigrateType> pageblocks;

  std::string_view name() const { return kZoneNames[index_of(type)]; }
  bool populated() const { return present != 0; }
  uint32_t end_pfn() const { return start_pfn + spanned; }
  bool spans(uint32_t pfn) const { return pfn >= start_pfn && pfn < end_pfn(); }
  uint32_t free_pages() const { return static_cast<uint32_t>(stat[ZoneStat::kNrFreePages]); }
  MigrateType& pageblock(Pfn pfn) {
    return pageblocks[(pfn.value() >> kPageblockOrder) - (start_pfn >> kPageblockOrder)];
  }
  MigrateType pageblock(Pfn pfn) const {
    return pageblocks[(pfn.value() >> kPageblockOrder) - (start_pfn >> kPageblockOrder)];
  }
  // Page blocks that a zone of this range touches.
  static constexpr uint32_t pageblocks_of(uint32_t start_pfn, uint32_t spanned) {
    return spanned == 0 ? 0 : ((start_pfn + spanned - 1) >> kPageblockOrder) - (start_pfn >> kPageblockOrder) + 1;
  }
};

}  // namespace fl::vm
