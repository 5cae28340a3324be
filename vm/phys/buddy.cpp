// Splitting and merging blocks. The buddy of a block differs from it in one bit of the frame number.
#include "vm/phys/buddy.hpp"

#include <algorithm>
#include <bit>

#include "mmu/base/check.hpp"

namespace fl::vm {

Buddy::Buddy(MemMap& mem_map) : mem_map_(mem_map) {}

void Buddy::add_range(Pfn first, uint32_t frames) {
  // From the top down, so that the lists end with low addresses in front.
  uint32_t end = first.value() + frames;
  while (end > first.value()) {
    const uint32_t by_alignment = std::min<uint32_t>(std::countr_zero(end), kMaxOrder);
    const uint32_t by_size = std::bit_width(end - first.value()) - 1;
    const uint32_t order = std::min(by_alignment, by_size);
    end -= 1u << order;
    push(Pfn(end), order);
    free_frames_ += 1u << order;
  }
}

uint32_t Buddy::alloc(uint32_t order) {
  uint32_t from = order;
  while (from <= kMaxOrder && area_[from].head == kNoPage) {
    ++from;
  }
  if (from > kMaxOrder) {
    return kNoPage;
  }
  const Pfn first(area_[from].head);
  unlink(first, from);
  // Gives the upper halves back until the block has the size asked for. Linux: expand.
  while (from > order) {
    --from;
    push(first + (1u << from), from);
  }
  free_frames_ -= 1u << order;
  return first.value();
}

void Buddy::free(Pfn first, uint32_t order) {
  FL_CHECK(order <= kMaxOrder && (first.value() & ((1u << order) - 1)) == 0, "block {:#x} order {}", first.value(),
           order);
  FL_CHECK(!mem_map_[first].has(PageFlag::kBuddy), "frame {:#x} freed twice", first.value());
  free_frames_ += 1u << order;
  while (order < kMaxOrder) {
    const Pfn buddy(first.value() ^ (1u << order));
    if (buddy.value() >= mem_map_.size()) {
      break;
    }
    const Page& page = mem_map_[buddy];
    if (!page.has(PageFlag::kBuddy) || page.private_ != order) {
      break;
    }
    unlink(buddy, order);
    first = Pfn(first.value() & ~(1u << order));
    ++order;
  }
  push(first, order);
}

void Buddy::push(Pfn first, uint32_t order) {
  Page& page = mem_map_[first];
  FreeArea& area = area_[order];
  page.set(PageFlag::kBuddy);
  page.private_ = order;
  page.lru_prev = kNoPage;
  page.lru_next = area.head;
  if (area.head != kNoPage) {
    mem_map_[Pfn(area.head)].lru_prev = first.value();
  }
  area.head = first.value();
  ++area.count;
}

void Buddy::unlink(Pfn first, uint32_t order) {
  Page& page = mem_map_[first];
  FreeArea& area = area_[order];
  if (page.lru_prev != kNoPage) {
    mem_map_[Pfn(page.lru_prev)].lru_next = page.lru_next;
  } else {
    area.head = page.lru_next;
  }
  if (page.lru_next != kNoPage) {
    mem_map_[Pfn(page.lru_next)].lru_prev = page.lru_prev;
  }
  page.clear(PageFlag::kBuddy);
  --area.count;
}

}  // namespace fl::vm
