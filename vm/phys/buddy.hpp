// The buddy system: free frames in blocks of 2^order, split when a smaller one is needed, merged when both halves are
// free. Linux counterpart: mm/page_alloc.c (__rmqueue_smallest, expand, __free_one_page); one list an order, last freed
// first. A free block's head has kBuddy set and its order in private_; the other pages of the block have refcount 0.
#pragma once

#include <array>
#include <cstdint>

#include "mmu/base/addr.hpp"
#include "vm/phys/mem_map.hpp"

namespace fl::vm {

inline constexpr uint32_t kMaxOrder = 10;  // largest block: 2^10 frames, 4 MiB

class Buddy {
 public:
  explicit Buddy(MemMap& mem_map);

  // Adds frames that were never free before, in blocks as large as alignment allows.
  void add_range(Pfn first, uint32_t frames);
  // The first frame of a block of 2^order frames; kNoPage if there is none. Low addresses first when fresh.
  uint32_t alloc(uint32_t order);
  void free(Pfn first, uint32_t order);

  uint32_t free_frames() const { return free_frames_; }
  uint32_t free_blocks(uint32_t order) const { return area_[order].count; }
  // Head of the list of free blocks of an order (kNoPage: empty); follow Page::lru_next. For dumps and verification.
  uint32_t free_list(uint32_t order) const { return area_[order].head; }

 private:
  struct FreeArea {
    uint32_t head = kNoPage;
    uint32_t count = 0;
  };
  void push(Pfn first, uint32_t order);
  void unlink(Pfn first, uint32_t order);

  MemMap& mem_map_;
  std::array<FreeArea, kMaxOrder + 1> area_;
  uint32_t free_frames_ = 0;
};

}  // namespace fl::vm
