// Invariant 2: free blocks are aligned, apart, coalesced, and counted exactly.
#include <bit>

#include "vm/memory_system.hpp"
#include "vm/verify/checks.hpp"

namespace fl::vm {
namespace {

class BuddyCheck {
 public:
  BuddyCheck(MemorySystem& memory, FrameUses& uses, Violations& out)
      : map_(memory.mem_map()), buddy_(memory.pages().buddy()), uses_(uses), out_(out) {}

  void run() {
    for (uint32_t order = 0; order <= kMaxOrder; ++order) {
      check_list(order);
    }
    if (free_frames_ != buddy_.free_frames()) {
      out_.add(Invariant::kBuddy, "{} frames are free, the counter says {}", free_frames_, buddy_.free_frames());
    }
    for (uint32_t frame = 0; frame < map_.size(); ++frame) {
      if (map_[Pfn(frame)].has(PageFlag::kBuddy) && !listed_[frame]) {
        out_.add(Invariant::kBuddy, "frame {:#x} is marked as the head of a free block, but no list has it", frame);
      }
    }
  }

 private:
  void check_list(uint32_t order) {
    uint32_t blocks = 0;
    uint32_t previous = kNoPage;
    for (uint32_t head = buddy_.free_list(order); head != kNoPage; head = map_[Pfn(head)].lru_next) {
      if (head >= map_.size() || listed_[head]) {
        out_.add(Invariant::kBuddy, "the list of order {} runs to frame {:#x}: outside RAM or in a circle", order,
                 head);
        return;
      }
      listed_[head] = true;
      ++blocks;
      check_block(head, order, previous);
      previous = head;
    }
    if (blocks != buddy_.free_blocks(order)) {
      out_.add(Invariant::kBuddy, "order {} has {} free blocks, its counter says {}", order, blocks,
               buddy_.free_blocks(order));
    }
  }

  void check_block(uint32_t head, uint32_t order, uint32_t previous) {
    const Page& page = map_[Pfn(head)];
    if (!page.has(PageFlag::kBuddy) || page.private_ != order || page.lru_prev != previous) {
      out_.add(Invariant::kBuddy, "free block {:#x} of order {}: flags {:#x}, order {}, previous {:#x}", head, order,
               page.flags, page.private_, page.lru_prev);
    }
    const uint32_t frames = 1u << order;
    if ((head & (frames - 1)) != 0 || head + frames > map_.size()) {
      out_.add(Invariant::kBuddy, "free block {:#x} of order {} is not aligned or leaves RAM", head, order);
      return;
    }
    for (uint32_t frame = head; frame < head + frames; ++frame) {
      if (uses_[frame].free) {
        out_.add(Invariant::kBuddy, "frame {:#x} is in two free blocks", frame);
      }
      uses_[frame].free = true;
    }
    free_frames_ += frames;
    const uint32_t other = head ^ frames;
    if (order < kMaxOrder && other + frames <= map_.size() && map_[Pfn(other)].has(PageFlag::kBuddy) &&
        map_[Pfn(other)].private_ == order && head < other) {
      out_.add(Invariant::kBuddy, "free blocks {:#x} and {:#x} of order {} are not merged", head, other, order);
    }
  }

  const MemMap& map_;
  const Buddy& buddy_;
  FrameUses& uses_;
  Violations& out_;
  std::vector<bool> listed_ = std::vector<bool>(map_.size());
  uint32_t free_frames_ = 0;
};

}  // namespace

void check_buddy(MemorySystem& memory, FrameUses& uses, Violations& out) { BuddyCheck(memory, uses, out).run(); }

}  // namespace fl::vm
