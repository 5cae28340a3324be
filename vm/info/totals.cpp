// Sums over zones, nodes and areas.
#include "vm/info/totals.hpp"

#include <algorithm>

#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {

MemoryTotals totals_of(const Node& node) {
  MemoryTotals totals;
  for (const Zone& zone : node.zones) {
    totals.managed += zone.managed;
    totals.free += zone.free_pages();
    if (zone.type == ZoneType::kHighmem) {
      totals.high_managed += zone.managed;
      totals.high_free += zone.free_pages();
    }
  }
  return totals;
}

MemoryTotals memory_totals(MemorySystem& memory) {
  MemoryTotals totals;
  for (const Node& node : memory.pages().nodes()) {
    const MemoryTotals one = totals_of(node);
    totals.managed += one.managed;
    totals.free += one.free;
    totals.high_managed += one.high_managed;
    totals.high_free += one.high_free;
  }
  return totals;
}

uint64_t lru_pages(MemorySystem& memory, LruList list) {
  uint64_t pages = 0;
  for (const Node& node : memory.pages().nodes()) {
    pages += Lru::size(node, list);
  }
  return pages;
}

uint64_t available_pages(MemorySystem& memory) {
  uint64_t low = 0;
  memory.pages().for_each_zone([&low](const Zone& zone) { low += zone.watermark.low; });
  int64_t available = static_cast<int64_t>(memory_totals(memory).free) - memory.pages().total_reserve_pages();
  // Half of what can be reclaimed, or all but a low watermark, is thought to be needed.
  const uint64_t cached = lru_pages(memory, LruList::kActiveFile) + lru_pages(memory, LruList::kInactiveFile);
  available += static_cast<int64_t>(cached - std::min(cached / 2, low));
  const uint64_t slab = memory.slab().reclaimable_pages();
  available += static_cast<int64_t>(slab - std::min(slab / 2, low));
  return static_cast<uint64_t>(std::max<int64_t>(available, 0));
}

uint64_t shared_pages(MemorySystem& memory) {
  uint64_t pages = 0;
  for (const NodeUse& node : count_frames(memory)) {
    pages += node.total().shmem;
  }
  return pages;
}

uint64_t vmalloc_pages(MemorySystem& memory) { return memory.vmalloc().used_pages(); }

NodeStats node_stats(const Node& node, const FrameUse& use) {
  NodeStats stat = node.stat;
  const auto set = [&stat](NodeStat item, uint64_t value) { stat.add(item, static_cast<int64_t>(value) - stat[item]); };
  set(NodeStat::kNrAnonPages, use.anon);
  set(NodeStat::kNrMapped, use.mapped);
  set(NodeStat::kNrFilePages, use.file + static_cast<uint64_t>(stat[NodeStat::kNrSwapcached]));
  set(NodeStat::kNrDirty, use.dirty);
  set(NodeStat::kNrShmem, use.shmem);
  set(NodeStat::kNrPageTablePages, use.table);
  return stat;
}

ZoneStats zone_stats(const Zone& zone, const FrameUse& use) {
  ZoneStats stat = zone.stat;
  const auto set = [&stat](ZoneStat item, uint64_t value) { stat.add(item, static_cast<int64_t>(value) - stat[item]); };
  set(ZoneStat::kNrZoneWritePending, use.dirty);
  return stat;
}

}  // namespace fl::vm
