// Per-CPU page lists: getting and returning single pages and small blocks without touching the buddy system each time.
// Linux counterparts in mm/page_alloc.c: rmqueue_pcplist, rmqueue_bulk, free_unref_page, free_pcppages_bulk,
// drain_pages_zone. One CPU, so one set of lists a zone and no locks.
//
// A page on a list has kPcp, its order in private_ and in index the migrate type it goes back to. It is free, but not
// counted in nr_free_pages.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "vm/phys/buddy.hpp"
#include "vm/phys/mem_map.hpp"
#include "vm/phys/zone.hpp"

namespace fl::vm {

class PcpLists {
 public:
  PcpLists(const MemMap& mem_map, Buddy& buddy) : mem_map_(mem_map), buddy_(buddy) {}

  // A block of an order that PerCpuPages holds; refills the list from the zone first if it is empty. kNoPage.
  uint32_t alloc(Zone& zone, uint32_t order, MigrateType type) {
    PerCpuPages& pcp = zone.pcp;
    const uint32_t which = PerCpuPages::list_of(type, order);
    PageList& list = pcp.lists[which];
    pcp.free_factor >>= 1;
    if (list.empty() && !refill(zone, order, type)) {
      return kNoPage;
    }
    const Pfn first(list.head);
    unlink(mem_map_, list, first);
    mem_map_[first].clear(PageFlag::kPcp);
    pcp.count -= 1u << order;
    return first.value();
  }

  void free(Zone& zone, Pfn first, uint32_t order) {
    PerCpuPages& pcp = zone.pcp;
    MigrateType type = zone.pageblock(first);
    if (index_of(type) >= kPcpTypes) {
      type = MigrateType::kMovable;
    }
    Page& page = mem_map_[first];
    page.set(PageFlag::kPcp);
    page.private_ = order;
    page.index = index_of(type);
    const uint32_t which = PerCpuPages::list_of(type, order);
    push_front(mem_map_, pcp.lists[which], first);
    pcp.count += 1u << order;
    // Several larger blocks freed in a row all go back, so that they can merge.
    const bool free_high = pcp.free_factor != 0 && order != 0 && order <= kCostlyOrder;
    if (pcp.count >= pcp.high || free_high) [[unlikely]] {
      give_back(zone, free_high ? pcp.count : pages_to_free(pcp), which);
    }
  }

  // Gives all pages of the lists back. Linux: drain_pages_zone.
  void drain(Zone& zone) { give_back(zone, zone.pcp.count, 0); }

 private:
  bool refill(Zone& zone, uint32_t order, MigrateType type);
  static uint32_t pages_to_free(PerCpuPages& pcp);
  // At least `pages` pages, list after list beginning with `list`, the longest unused first.
  void give_back(Zone& zone, uint32_t pages, uint32_t list);

  const MemMap& mem_map_;
  Buddy& buddy_;
};

}  // namespace fl::vm
