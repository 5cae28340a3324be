// A migrate type that has no free block takes from another. Linux counterparts in mm/page_alloc.c: __rmqueue_fallback,
// find_suitable_fallback, can_steal_fallback, steal_suitable_fallback, move_freepages_block.
#include <algorithm>
#include <array>

#include "vm/phys/buddy.hpp"

namespace fl::vm {
namespace {

// Whom each type takes from, in this order.
constexpr std::array<std::array<MigrateType, 2>, kPcpTypes> kFallbacks = {{
    {MigrateType::kReclaimable, MigrateType::kMovable},    // unmovable
    {MigrateType::kReclaimable, MigrateType::kUnmovable},  // movable
    {MigrateType::kUnmovable, MigrateType::kMovable},      // reclaimable
}};

// A list to take from; kNoPage if there is none.
uint32_t suitable_fallback(const FreeArea& area, MigrateType type) {
  if (area.nr_free == 0) {
    return kNoPage;
  }
  for (const MigrateType from : kFallbacks[index_of(type)]) {
    if (const PageList& list = area.lists[index_of(from)]; !list.empty()) {
      return list.head;
    }
  }
  return kNoPage;
}

// Movable pages may sit among others' for a while; the other types would keep a block from ever being whole again, so
// they rather take all of it.
bool can_steal(uint32_t order, MigrateType type) {
  return order >= kPageblockOrder / 2 || type != MigrateType::kMovable;
}

}  // namespace

bool Buddy::fall_back(Zone& zone, uint32_t order, MigrateType type) {
  // The largest block there is, so that the next allocations of this type have somewhere to go. If the page block
  // cannot be taken over with it, and the pages can be moved later, the smallest that will do.
  for (uint32_t from = kMaxOrder + 1; from-- > order;) {
    const uint32_t largest = suitable_fallback(zone.free_area[from], type);
    if (largest == kNoPage) {
      continue;
    }
    const bool whole_block = can_steal(from, type);
    if (whole_block || type != MigrateType::kMovable || from == order) {
      steal(zone, Pfn(largest), type, whole_block);
      return true;
    }
    uint32_t smallest = kNoPage;
    for (from = order; smallest == kNoPage; ++from) {
      smallest = suitable_fallback(zone.free_area[from], type);
    }
    steal(zone, Pfn(smallest), type, can_steal(from - 1, type));
    return true;
  }
  return false;
}

void Buddy::steal(Zone& zone, Pfn head, MigrateType type, bool whole_block) {
  const uint32_t order = mem_map_[head].private_;
  if (order >= kPageblockOrder) {
    set_pageblock(zone, head, type);
    move(zone, head, order, type);
    return;
  }
  if (!whole_block) {
    move(zone, head, order, type);
    return;
  }
  const MigrateType old_type = zone.pageblock(head);
  uint32_t movable = 0;
  const uint32_t free_frames = move_free_pages(zone, head, type, movable);
  if (free_frames == 0) {
    move(zone, head, order, type);
    return;
  }
  // Pages in use that suit the new type: known for a movable one; in a movable block the rest is not movable.
  uint32_t alike = 0;
  if (type == MigrateType::kMovable) {
    alike = movable;
  } else if (old_type == MigrateType::kMovable) {
    alike = kPageblockFrames - (free_frames + movable);
  }
  if (free_frames + alike >= kPageblockFrames / 2 || !mobility_grouping_) {
    set_pageblock(zone, head, type);
  }
}

// Moves all free blocks of the page block that `inside` lies in to lists of `type`; counts pages in use that can be
// moved. 0 if the page block leaves the zone.
uint32_t Buddy::move_free_pages(Zone& zone, Pfn inside, MigrateType type, uint32_t& movable) {
  uint32_t at = inside.value() & ~(kPageblockFrames - 1);
  const uint32_t end = at + kPageblockFrames;
  if (!zone.spans(at)) {
    at = inside.value();
  }
  if (!zone.spans(end - 1)) {
    return 0;
  }
  uint32_t moved = 0;
  while (at < end) {
    const Page& page = mem_map_[Pfn(at)];
    if (!page.has(PageFlag::kBuddy)) {
      movable += page.has(PageFlag::kAnon | PageFlag::kCache) ? 1 : 0;
      ++at;
      continue;
    }
    const uint32_t order = page.private_;
    move(zone, Pfn(at), order, type);
    at += 1u << order;
    moved += 1u << order;
  }
  return moved;
}

void Buddy::set_pageblock(Zone& zone, Pfn pfn, MigrateType type) {
  zone.pageblock(pfn) = !mobility_grouping_ && index_of(type) < kPcpTypes ? MigrateType::kUnmovable : type;
}

}  // namespace fl::vm
