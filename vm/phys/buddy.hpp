// The buddy system: free frames of a zone in blocks of 2^order, split when a smaller one is needed, merged when both
// halves are free. Linux counterpart: mm/page_alloc.c (__rmqueue, expand, __free_one_page, __rmqueue_fallback).
//
// Each order has a list for each migrate type. A block of memory of kPageblockFrames is meant for one type, so that
// what cannot be moved does not get strewn over all of memory; a type that runs out takes from another's blocks, and
// takes a whole page block over if enough of it is free (steal_suitable_fallback).
//
// A free block's head has kBuddy, its order in private_ and in index the migrate type of the list it is on. Simplified:
// no highatomic reserve, no isolation (those lists stay empty), no watermark boosting.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "vm/phys/mem_map.hpp"
#include "vm/phys/zone.hpp"

namespace fl::vm {

// Where a freed block that merged with nothing more goes. Linux: FPI_TO_TAIL.
enum class FreeTo : uint8_t { kLikelyMerge, kTail };

class Buddy {
 public:
  explicit Buddy(const MemMap& mem_map) : mem_map_(mem_map) {}

  // Hands over frames that were never free before, in blocks as large as alignment allows, to the lists' tails, so that
  // low addresses are given first. Linux: __free_pages_memory.
  void add_range(Zone& zone, Pfn first, uint32_t frames);
  // The first frame of a block of 2^order frames; kNoPage if the zone has none. Linux: __rmqueue.
  uint32_t alloc(Zone& zone, uint32_t order, MigrateType type);
  // Linux: __free_one_page. `type` names the list; without one it is the page block's.
  void free(Zone& zone, Pfn first, uint32_t order, MigrateType type, FreeTo to = FreeTo::kLikelyMerge);
  void free(Zone& zone, Pfn first, uint32_t order) { free(zone, first, order, zone.pageblock(first)); }
  // Takes one free block, by its head, off its list. Linux: __isolate_free_page.
  void take(Zone& zone, Pfn head);

  // Off on machines too small for a page block a type and zone: all blocks become unmovable ones.
  // Linux: page_group_by_mobility_disabled.
  void set_mobility_grouping(bool on) { mobility_grouping_ = on; }
  bool mobility_grouping() const { return mobility_grouping_; }
  void set_pageblock(Zone& zone, Pfn pfn, MigrateType type);

 private:
  uint32_t alloc_smallest(Zone& zone, uint32_t order, MigrateType type);
  bool fall_back(Zone& zone, uint32_t order, MigrateType type);
  void steal(Zone& zone, Pfn head, MigrateType type, bool whole_block);
  uint32_t move_free_pages(Zone& zone, Pfn inside, MigrateType type, uint32_t& movable);
  bool merge_likely(const Zone& zone, Pfn first, uint32_t order) const;
  bool is_free_block(const Zone& zone, uint32_t pfn, uint32_t order) const;

  void push(Zone& zone, Pfn first, uint32_t order, MigrateType type, FreeTo to);
  void remove(Zone& zone, Pfn first, uint32_t order);
  void move(Zone& zone, Pfn first, uint32_t order, MigrateType type);

  const MemMap& mem_map_;
  bool mobility_grouping_ = true;
};

}  // namespace fl::vm
