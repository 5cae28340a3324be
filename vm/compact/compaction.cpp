// Two scanners walk a zone towards each other: one collects movable pages from its start, the other free frames from
// its end. When they meet, or the block that is wanted is there, the run is over.
#include "vm/compact/compaction.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "vm/compact/migrate.hpp"
#include "vm/memory_system.hpp"

namespace fl::vm {
namespace {

// Pages that move before the run looks whether it is done. Linux: COMPACT_CLUSTER_MAX.
constexpr uint32_t kClusterMax = 32;

// Free frames that compacting for an order needs: the pages that move have to stand somewhere. Linux: compact_gap.
constexpr uint32_t compact_gap(uint32_t order) { return 2u << order; }

// One run over a zone. Linux: struct compact_control, compact_zone.
class ZoneRun {
 public:
  // Without an order the whole zone is gone through.
  ZoneRun(MemorySystem& memory, Zone& zone, std::optional<uint32_t> order)
      : memory_(memory),
        pages_(memory.pages()),
        zone_(zone),
        order_(order),
        migrate_pfn_(zone.start_pfn),
        free_pfn_(zone.end_pfn()) {}
  ZoneRun(const ZoneRun&) = delete;
  ZoneRun& operator=(const ZoneRun&) = delete;
  ~ZoneRun() { release_free_pages(); }

  // Whether any page moved.
  bool run() {
    uint32_t moved = 0;
    while (!finished()) {
      const uint32_t found = isolate_migrate_pages();
      for (uint32_t i = 0; i < found; ++i) {
        const std::optional<Pfn> to = take_free_page();
        if (!to) {
          return moved != 0;
        }
        migrate_page(memory_, movable_[i], *to);
        pages_.events().add(VmEvent::kPgmigrateSuccess, 1);
        ++moved;
      }
    }
    return moved != 0;
  }

 private:
  bool finished() {
    if (migrate_pfn_ >= free_pfn_) {
      return true;
    }
    if (!order_) {
      return false;
    }
    // Pages that were freed one by one wait on per-CPU lists, where they cannot merge.
    pages_.drain_all_pages();
    for (uint32_t order = *order_; order <= kMaxOrder; ++order) {
      if (zone_.free_area[order].nr_free != 0) {
        return true;
      }
    }
    return false;
  }

  // Up to a cluster of movable pages, from where the last call ended. Linux: isolate_migratepages_block.
  uint32_t isolate_migrate_pages() {
    uint32_t found = 0;
    while (found < kClusterMax && migrate_pfn_ < free_pfn_) {
      const Pfn pfn(migrate_pfn_);
      const Page& page = memory_.page(pfn);
      pages_.events().add(VmEvent::kCompactMigrateScanned, 1);
      if (page.has(PageFlag::kBuddy)) {
        migrate_pfn_ += 1u << page.private_;
        continue;
      }
      ++migrate_pfn_;
      if (is_movable(memory_, pfn)) {
        movable_[found++] = pfn;
      }
    }
    pages_.events().add(VmEvent::kCompactIsolated, found);
    return found;
  }

  // A free frame above the migration scanner. Linux: compaction_alloc.
  std::optional<Pfn> take_free_page() {
    if (free_.empty()) {
      isolate_free_pages();
    }
    if (free_.empty()) {
      return std::nullopt;
    }
    const Pfn pfn(free_.head);
    unlink(memory_.mem_map(), free_, pfn);
    return pfn;
  }

  // Linux: isolate_freepages. Downwards; a free block may begin above the scanner's position only in its own range.
  void isolate_free_pages() {
    uint32_t isolated = 0;
    while (free_pfn_ > migrate_pfn_ && isolated < kClusterMax) {
      --free_pfn_;
      pages_.events().add(VmEvent::kCompactFreeScanned, 1);
      const Pfn head(free_pfn_);
      if (!memory_.page(head).has(PageFlag::kBuddy)) {
        continue;
      }
      const uint32_t frames = 1u << pages_.isolate_free_block(head);
      for (uint32_t i = 0; i < frames; ++i) {
        push_back(memory_.mem_map(), free_, head + i);
      }
      isolated += frames;
    }
    pages_.events().add(VmEvent::kCompactIsolated, isolated);
  }

  void release_free_pages() {
    while (!free_.empty()) {
      const Pfn pfn(free_.head);
      unlink(memory_.mem_map(), free_, pfn);
      pages_.free_pages(pfn);
    }
    pages_.drain_all_pages();
  }

  MemorySystem& memory_;
  PageAllocator& pages_;
  Zone& zone_;
  std::optional<uint32_t> order_;
  uint32_t migrate_pfn_;
  uint32_t free_pfn_;
  PageList free_;
  std::array<Pfn, kClusterMax> movable_;
};

}  // namespace

bool Compaction::compact(uint32_t order, ZoneType highest) {
  bool moved = false;
  for (Node& node : memory_.pages().nodes()) {
    for (Zone& zone : node.zones) {
      // Linux: compaction_suitable.
      const bool suitable = zone.free_pages() >= zone.watermark.low + compact_gap(order);
      if (zone.populated() && zone.type <= highest && suitable) {
        moved |= ZoneRun(memory_, zone, order).run();
      }
    }
  }
  return moved;
}

void Compaction::compact_all() {
  memory_.pages().drain_all_pages();
  memory_.pages().for_each_zone([this](Zone& zone) {
    if (zone.populated()) {
      ZoneRun(memory_, zone, std::nullopt).run();
    }
  });
}

}  // namespace fl::vm
