// The sums that meminfo, vmstat, zoneinfo and the node files have in common. Linux counterparts: struct sysinfo,
// si_meminfo, si_mem_available, global_node_page_state.
#pragma once

#include <cstdint>

#include "vm/info/frame_use.hpp"
#include "vm/phys/node.hpp"
#include "vm/phys/vm_stat.hpp"
#include "vm/reclaim/lruvec.hpp"

namespace fl::vm {

class MemorySystem;

// Pages, of the whole machine or of one node.
struct MemoryTotals {
  uint64_t managed = 0;  // MemTotal
  uint64_t free = 0;     // MemFree; pages on per-CPU lists are not in it
  uint64_t high_managed = 0, high_free = 0;
};
MemoryTotals totals_of(const Node& node);
MemoryTotals memory_totals(MemorySystem& memory);

// What a new program may hope to get. Linux: si_mem_available.
uint64_t available_pages(MemorySystem& memory);
// Pages of a list, over all nodes. Linux: NR_LRU_BASE + list.
uint64_t lru_pages(MemorySystem& memory, LruList list);
// Pages of shared memory and tmpfs. Linux: NR_SHMEM.
uint64_t shared_pages(MemorySystem& memory);
// Pages of vmalloc areas. Linux: nr_vmalloc_pages.
uint64_t vmalloc_pages(MemorySystem& memory);
// A node's counters: those that are kept, and those that are counted from its frames. Linux: node_page_state_pages.
NodeStats node_stats(const Node& node, const FrameUse& use);
// A zone's, with those that Linux counts twice, for its zone-wise reclaim.
ZoneStats zone_stats(const Zone& zone, const FrameUse& use);

}  // namespace fl::vm
