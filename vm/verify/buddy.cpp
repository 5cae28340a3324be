// Invariant 2: free blocks are aligned, apart, inside their zone, on the list of their type, coalesced, and counted
// exactly; the same for per-CPU lists, whose pages may well be unmerged. And of invariant 1: each frame knows its zone.
#include <bit>

#include "vm/memory_system.hpp"
#include "vm/verify/checks.hpp"

namespace fl::vm {
namespace {

class BuddyCheck {
 public:
  BuddyCheck(MemorySystem& memory, FrameUserTable& uses, Violations& out)
      : map_(memory.mem_map()), pages_(memory.pages()), uses_(uses), out_(out) {}

  void run() {
    uint32_t managed = 0;
    pages_.for_each_zone([&](const Zone& zone) {
      check_zone(zone);
      managed += zone.managed;
    });
    if (free_frames_ != pages_.free_frames()) {
      out_.add(Invariant::kBuddy, "{} frames are free or on per-CPU lists, the counter says {}", free_frames_,
               pages_.free_frames());
    }
    if (managed != pages_.managed_frames()) {
      out_.add(Invariant::kBuddy, "the zones have {} managed frames, the counter says {}", managed,
               pages_.managed_frames());
    }
    for (uint32_t frame = 0; frame < map_.size(); ++frame) {
      check_place(frame);
      if (map_[Pfn(frame)].has(PageFlag::kBuddy | PageFlag::kPcp) && !listed_[frame]) {
        out_.add(Invariant::kBuddy, "frame {:#x} is marked as the head of a free block, but no list has it", frame);
      }
    }
  }

 private:
  void check_zone(const Zone& zone) {
    const uint32_t before = free_frames_;
    for (uint32_t order = 0; order <= kMaxOrder; ++order) {
      const FreeArea& area = zone.free_area[order];
      uint32_t blocks = 0;
      for (uint32_t type = 0; type < kMigrateTypes; ++type) {
        blocks += check_list(zone, area.lists[type], order, type, PageFlag::kBuddy);
      }
      if (blocks != area.nr_free) {
        out_.add(Invariant::kBuddy, "order {} has {} free blocks, its counter says {}", order, blocks, area.nr_free);
      }
    }
    if (free_frames_ - before != zone.free_pages()) {
      out_.add(Invariant::kBuddy, "node {} zone {}: {} frames are free, the counter says {}", zone.node, zone.name(),
               free_frames_ - before, zone.free_pages());
    }
    const uint32_t before_pcp = free_frames_;
    for (uint32_t list = 0; list < PerCpuPages::kLists; ++list) {
      // The list of whole page blocks has all types.
      const uint32_t type = list == PerCpuPages::kLists - 1 ? kNoPage : list % kPcpTypes;
      check_list(zone, zone.pcp.lists[list], PerCpuPages::order_of(list), type, PageFlag::kPcp);
    }
    if (free_frames_ - before_pcp != zone.pcp.count) {
      out_.add(Invariant::kBuddy, "node {} zone {}: {} frames are on per-CPU lists, the counter says {}", zone.node,
               zone.name(), free_frames_ - before_pcp, zone.pcp.count);
    }
  }

  // Whatever is not reserved lies in the zone that its flags name.
  void check_place(uint32_t frame) {
    const Page& page = map_[Pfn(frame)];
    const std::span<const Node> nodes = pages_.nodes();
    if (!page.has(PageFlag::kReserved) &&
        (page.node() >= nodes.size() || !nodes[page.node()].zones[page.zone()].spans(frame))) {
      out_.add(Invariant::kPageState, "frame {:#x} claims to be in zone {} of node {}", frame, page.zone(),
               page.node());
    }
  }

  // Blocks on the list.
  uint32_t check_list(const Zone& zone, const PageList& list, uint32_t order, uint32_t type, uint32_t flag) {
    uint32_t blocks = 0;
    uint32_t previous = kNoPage;
    for (uint32_t head = list.head; head != kNoPage; head = map_[Pfn(head)].lru_next) {
      if (head >= map_.size() || listed_[head]) {
        out_.add(Invariant::kBuddy, "the list of order {} runs to frame {:#x}: outside RAM or in a circle", order,
                 head);
        return blocks;
      }
      listed_[head] = true;
      ++blocks;
      check_block(zone, head, order, type, flag, previous);
      previous = head;
    }
    if (previous != list.tail) {
      out_.add(Invariant::kBuddy, "the list of order {} ends at frame {:#x}, its tail says {:#x}", order, previous,
               list.tail);
    }
    return blocks;
  }

  void check_block(const Zone& zone, uint32_t head, uint32_t order, uint32_t type, uint32_t flag, uint32_t previous) {
    const Page& page = map_[Pfn(head)];
    if (!page.has(flag) || page.private_ != order || page.lru_prev != previous ||
        (type != kNoPage && page.index != type)) {
      out_.add(Invariant::kBuddy, "free block {:#x} of order {}: flags {:#x}, order {}, type {}, previous {:#x}", head,
               order, page.flags, page.private_, page.index, page.lru_prev);
    }
    const uint32_t frames = 1u << order;
    if ((head & (frames - 1)) != 0 || !zone.spans(head) || !zone.spans(head + frames - 1) ||
        head + frames > map_.size()) {
      out_.add(Invariant::kBuddy, "free block {:#x} of order {} is not aligned or leaves its zone", head, order);
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
    if (flag == PageFlag::kBuddy && order < kMaxOrder && zone.spans(other) && zone.spans(other + frames - 1) &&
        other + frames <= map_.size() && map_[Pfn(other)].has(PageFlag::kBuddy) && map_[Pfn(other)].private_ == order &&
        head < other) {
      out_.add(Invariant::kBuddy, "free blocks {:#x} and {:#x} of order {} are not merged", head, other, order);
    }
  }

  const MemMap& map_;
  const PageAllocator& pages_;
  FrameUserTable& uses_;
  Violations& out_;
  std::vector<bool> listed_ = std::vector<bool>(map_.size());
  uint32_t free_frames_ = 0;
};

}  // namespace

void check_buddy(MemorySystem& memory, FrameUserTable& uses, Violations& out) { BuddyCheck(memory, uses, out).run(); }

}  // namespace fl::vm
