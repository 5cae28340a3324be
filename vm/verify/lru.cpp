// Invariant 11: every page that can be evicted or is locked in memory is on exactly one LRU list, the one that its
// flags name, and the counters of nodes and zones say how many.
#include <array>
#include <numeric>
#include <vector>

#include "vm/memory_system.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/verify/checks.hpp"

namespace fl::vm {
namespace {

class LruCheck {
 public:
  LruCheck(MemorySystem& memory, Violations& out) : memory_(memory), map_(memory.mem_map()), out_(out) {}

  void run() {
    for (Node& node : memory_.pages().nodes()) {
      for (uint32_t list = 0; list < kLruLists; ++list) {
        ZoneTotals zones{};
        walk(node.lruvec, static_cast<LruList>(list), zones);
        if (memory_.memcg() != nullptr) {
          walk(memory_.memcg()->lruvec(node.id), static_cast<LruList>(list), zones);
        }
        check_counters(node, static_cast<LruList>(list), zones);
      }
    }
    check_charges();
    for (uint32_t frame = 0; frame < map_.size() && !out_.full(); ++frame) {
      check_page(frame, map_[Pfn(frame)]);
    }
  }

 private:
  using ZoneTotals = std::array<int64_t, kZoneTypes>;

  void walk(const Lruvec& lruvec, LruList list, ZoneTotals& total) {
    const Node& node = *lruvec.node;
    ZoneTotals zones{};
    uint32_t previous = kNoPage;
    const PageList& pages = lruvec.lists[index_of(list)];
    for (uint32_t frame = pages.head; frame != kNoPage; frame = map_[Pfn(frame)].lru_next) {
      if (frame >= map_.size() || listed_[frame]) {
        out_.add(Invariant::kLru, "list {} runs to frame {:#x}: outside RAM or in a circle", index_of(list), frame);
        return;
      }
      listed_[frame] = true;
      const Page& page = map_[Pfn(frame)];
      if (page.lru_prev != previous) {
        out_.add(Invariant::kLru, "frame {:#x} points back to {:#x}, not to {:#x}", frame, page.lru_prev, previous);
      }
      if (!page.has(PageFlag::kLru) || Lru::list_of(page) != list || page.node() != node.id ||
          page.has(PageFlag::kCharged) != (lruvec.memcg != nullptr)) {
        out_.add(Invariant::kLru, "frame {:#x} is on list {} of node {}, its flags are {:#x}", frame, index_of(list),
                 node.id, page.flags);
      }
      previous = frame;
      ++zones[page.zone()];
    }
    if (previous != pages.tail) {
      out_.add(Invariant::kLru, "list {} of node {} ends at {:#x}, not at {:#x}", index_of(list), node.id, previous,
               pages.tail);
    }
    for (uint32_t zone = 0; zone < kZoneTypes; ++zone) {
      const uint32_t size = lruvec.zone_sizes[index_of(list)][zone];
      if (zones[zone] != size) {
        out_.add(Invariant::kLru, "list {} of node {} has {} pages of zone {}, its size says {}", index_of(list),
                 node.id, zones[zone], node.zones[zone].name(), size);
      }
      total[zone] += zones[zone];
    }
  }

  void check_counters(const Node& node, LruList list, const ZoneTotals& zones) {
    const int64_t count = std::accumulate(zones.begin(), zones.end(), int64_t{0});
    if (count != node.stat[node_stat_of(list)]) {
      out_.add(Invariant::kLru, "list {} of node {} has {} pages; the counter says {}", index_of(list), node.id, count,
               node.stat[node_stat_of(list)]);
    }
    for (uint32_t zone = 0; zone < kZoneTypes; ++zone) {
      if (zones[zone] != node.zones[zone].stat[zone_stat_of(list)]) {
        out_.add(Invariant::kLru, "list {} has {} pages of zone {}, the counter says {}", index_of(list), zones[zone],
                 node.zones[zone].name(), node.zones[zone].stat[zone_stat_of(list)]);
      }
    }
  }

  // What the group was charged is what its pages say.
  void check_charges() {
    uint64_t charged = 0;
    for (uint32_t frame = 0; frame < map_.size(); ++frame) {
      const Page& page = map_[Pfn(frame)];
      charged +=
          page.has(PageFlag::kCharged) ? (page.has(PageFlag::kHead) ? 1u << map_.compound_order(Pfn(frame)) : 1) : 0;
    }
    const MemCgroup* const memcg = memory_.memcg();
    const uint64_t usage = memcg != nullptr ? memcg->usage() - memcg->stock() : 0;
    if (charged != usage) {
      out_.add(Invariant::kLru, "{} pages are charged, the memory limit counts {}", charged, usage);
    }
  }

  void check_page(uint32_t frame, const Page& page) {
    const bool belongs = page.has(PageFlag::kAnon | PageFlag::kCache | PageFlag::kSwapCache);
    if (belongs != listed_[frame]) {
      out_.add(Invariant::kLru, "frame {:#x} {} a list, flags {:#x}", frame, belongs ? "is not on" : "is on",
               page.flags);
    }
    if (page.has(PageFlag::kMlocked) && !page.has(PageFlag::kUnevictable)) {
      out_.add(Invariant::kLru, "frame {:#x} is locked and may be evicted, flags {:#x}", frame, page.flags);
    }
  }

  MemorySystem& memory_;
  const MemMap& map_;
  Violations& out_;
  std::vector<bool> listed_ = std::vector<bool>(map_.size());
};

}  // namespace

void check_lru(MemorySystem& memory, Violations& out) { LruCheck(memory, out).run(); }

}  // namespace fl::vm
