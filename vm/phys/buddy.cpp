// Splitting and merging blocks. The buddy of a block differs from it in one bit of the frame number.
#include "vm/phys/buddy.hpp"

#include <algorithm>
#include <bit>

#include "mmu/base/check.hpp"

namespace fl::vm {

void Buddy::push(Zone& zone, Pfn first, uint32_t order, MigrateType type, FreeTo to) {
  Page& page = mem_map_[first];
  FreeArea& area = zone.free_area[order];
  page.set(PageFlag::kBuddy);
  page.private_ = order;
  page.index = index_of(type);
  PageList& list = area.lists[index_of(type)];
  to == FreeTo::kTail ? push_back(mem_map_, list, first) : push_front(mem_map_, list, first);
  ++area.nr_free;
}

void Buddy::remove(Zone& zone, Pfn first, uint32_t order) {
  Page& page = mem_map_[first];
  FreeArea& area = zone.free_area[order];
  unlink(mem_map_, area.lists[page.index], first);
  page.clear(PageFlag::kBuddy);
  --area.nr_free;
}

// Linux: move_to_free_list.
void Buddy::move(Zone& zone, Pfn first, uint32_t order, MigrateType type) {
  Page& page = mem_map_[first];
  FreeArea& area = zone.free_area[order];
  unlink(mem_map_, area.lists[page.index], first);
  page.index = index_of(type);
  push_back(mem_map_, area.lists[index_of(type)], first);
}

void Buddy::add_range(Zone& zone, Pfn first, uint32_t frames) {
  uint32_t at = first.value();
  const uint32_t end = at + frames;
  while (at < end) {
    const uint32_t by_alignment = std::min<uint32_t>(std::countr_zero(at), kMaxOrder);
    const uint32_t by_size = static_cast<uint32_t>(std::bit_width(end - at)) - 1;
    const uint32_t order = std::min(by_alignment, by_size);
    free(zone, Pfn(at), order, zone.pageblock(Pfn(at)), FreeTo::kTail);
    at += 1u << order;
  }
}

uint32_t Buddy::alloc(Zone& zone, uint32_t order, MigrateType type) {
  uint32_t frame = alloc_smallest(zone, order, type);
  while (frame == kNoPage && fall_back(zone, order, type)) {
    frame = alloc_smallest(zone, order, type);
  }
  if (frame != kNoPage) {
    zone.stat.add(ZoneStat::kNrFreePages, -(int64_t{1} << order));
  }
  return frame;
}

uint32_t Buddy::alloc_smallest(Zone& zone, uint32_t order, MigrateType type) {
  for (uint32_t from = order; from <= kMaxOrder; ++from) {
    const PageList& list = zone.free_area[from].lists[index_of(type)];
    if (list.empty()) {
      continue;
    }
    const Pfn first(list.head);
    remove(zone, first, from);
    // Gives the upper halves back until the block has the size asked for. Linux: expand.
    while (from > order) {
      --from;
      push(zone, first + (1u << from), from, type, FreeTo::kLikelyMerge);
    }
    return first.value();
  }
  return kNoPage;
}

void Buddy::take(Zone& zone, Pfn head) {
  const Page& page = mem_map_[head];
  FL_CHECK(page.has(PageFlag::kBuddy), "frame {:#x} is not the head of a free block", head.value());
  const uint32_t order = page.private_;
  remove(zone, head, order);
  zone.stat.add(ZoneStat::kNrFreePages, -(int64_t{1} << order));
}

// Linux: page_is_buddy.
bool Buddy::is_free_block(const Zone& zone, uint32_t pfn, uint32_t order) const {
  if (!zone.spans(pfn)) {
    return false;
  }
  const Page& page = mem_map_[Pfn(pfn)];
  return page.has(PageFlag::kBuddy) && page.private_ == order;
}

// Whether the block above this one would merge with its buddy if this one's buddy were freed: then it should not be
// given out soon. Linux: buddy_merge_likely.
bool Buddy::merge_likely(const Zone& zone, Pfn first, uint32_t order) const {
  if (order + 1 >= kMaxOrder) {
    return false;
  }
  const uint32_t above = first.value() & ~(1u << order);
  return is_free_block(zone, above ^ (2u << order), order + 1);
}

void Buddy::free(Zone& zone, Pfn first, uint32_t order, MigrateType type, FreeTo to) {
  FL_CHECK(order <= kMaxOrder && (first.value() & ((1u << order) - 1)) == 0, "block {:#x} order {}", first.value(),
           order);
  FL_CHECK(!mem_map_[first].has(PageFlag::kBuddy), "frame {:#x} freed twice", first.value());
  zone.stat.add(ZoneStat::kNrFreePages, int64_t{1} << order);
  while (order < kMaxOrder) {
    const Pfn buddy(first.value() ^ (1u << order));
    if (!is_free_block(zone, buddy.value(), order)) {
      break;
    }
    remove(zone, buddy, order);
    first = Pfn(first.value() & ~(1u << order));
    ++order;
  }
  if (to == FreeTo::kLikelyMerge && merge_likely(zone, first, order)) {
    to = FreeTo::kTail;
  }
  push(zone, first, order, type, to);
}

}  // namespace fl::vm
