// meminfo and vmstat.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "mmu/layout.hpp"
#include "mmu/pte.hpp"
#include "vm/info/memory_reports.hpp"
#include "vm/info/totals.hpp"
#include "vm/memory_system.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {
namespace {

constexpr uint64_t kb(uint64_t pages) { return pages << (kPageShift - 10); }

// One line of meminfo, in KiB.
void line(std::string& text, std::string_view name, uint64_t kib) {
  fmt::format_to(std::back_inserter(text), "{:<16}{:8} kB\n", fmt::format("{}:", name), kib);
}

template <typename Stats, typename Names, typename Item>
void add_counters(std::string& text, const Stats& stats, const Names& names, Item) {
  for (size_t i = 0; i < names.size(); ++i) {
    fmt::format_to(std::back_inserter(text), "{} {}\n", names[i], stats[static_cast<Item>(i)]);
  }
}

template <typename Stats, typename Item>
void accumulate(Stats& sum, const Stats& part, Item) {
  for (size_t i = 0; i < Stats::size(); ++i) {
    sum.add(static_cast<Item>(i), part[static_cast<Item>(i)]);
  }
}

FrameUse whole(const std::vector<NodeUse>& nodes) {
  FrameUse use;
  for (const NodeUse& node : nodes) {
    use += node.total();
  }
  return use;
}

// How much of the direct map stands in pages of 4 KiB and of 4 MiB. Linux: direct_pages_count.
struct DirectMapKib {
  uint64_t small = 0, large = 0;
};
DirectMapKib direct_map_size(MemorySystem& memory) {
  DirectMapKib size;
  const uint64_t low = std::min<uint64_t>(memory.ram().bytes(), mmu::kLowMemoryLimit);
  for (uint64_t at = 0; at < low; at += mmu::kPgdirSize) {
    const VirtAddr va = mmu::direct_map(PhysAddr(static_cast<uint32_t>(at)));
    const auto* const directory =
        reinterpret_cast<const uint32_t*>(memory.ram().frame(memory.kernel_map().directory()));
    const mmu::Pte entry(directory[mmu::pgd_index(va)]);
    if (entry.large()) {
      size.large += mmu::kPgdirSize / 1024;
    } else {
      size.small += std::min<uint64_t>(low - at, mmu::kPgdirSize) / 1024;
    }
  }
  return size;
}

}  // namespace

std::string format_meminfo(MemorySystem& memory) {
  const MemoryTotals totals = memory_totals(memory);
  const FrameUse use = whole(count_frames(memory));
  const SlabAllocator& slab = memory.slab();
  const DirectMapKib direct = direct_map_size(memory);
  NodeStats stat;
  for (const Node& node : memory.pages().nodes()) {
    accumulate(stat, node.stat, NodeStat{});
  }
  const uint64_t inactive_anon = lru_pages(memory, LruList::kInactiveAnon);
  const uint64_t active_anon = lru_pages(memory, LruList::kActiveAnon);
  const uint64_t inactive_file = lru_pages(memory, LruList::kInactiveFile);
  const uint64_t active_file = lru_pages(memory, LruList::kActiveFile);
  std::string text;
  line(text, "MemTotal", kb(totals.managed));
  line(text, "MemFree", kb(totals.free));
  line(text, "MemAvailable", kb(available_pages(memory)));
  line(text, "Buffers", 0);
  line(text, "Cached", kb(use.file));
  line(text, "SwapCached", kb(static_cast<uint64_t>(stat[NodeStat::kNrSwapcached])));
  line(text, "Active", kb(active_anon + active_file));
  line(text, "Inactive", kb(inactive_anon + inactive_file));
  line(text, "Active(anon)", kb(active_anon));
  line(text, "Inactive(anon)", kb(inactive_anon));
  line(text, "Active(file)", kb(active_file));
  line(text, "Inactive(file)", kb(inactive_file));
  line(text, "Unevictable", kb(lru_pages(memory, LruList::kUnevictable)));
  line(text, "Mlocked", kb(use.mlocked));
  line(text, "HighTotal", kb(totals.high_managed));
  line(text, "HighFree", kb(totals.high_free));
  line(text, "LowTotal", kb(totals.managed - totals.high_managed));
  line(text, "LowFree", kb(totals.free - totals.high_free));
  line(text, "SwapTotal", kb(memory.swap().total_swap_pages()));
  line(text, "SwapFree", kb(memory.swap().free_swap_pages()));
  line(text, "Dirty", kb(use.dirty));
  line(text, "Writeback", 0);
  line(text, "AnonPages", kb(use.anon));
  line(text, "Mapped", kb(use.mapped));
  line(text, "Shmem", kb(use.shmem));
  // Large kmalloc counts as slab, as on Linux.
  const uint64_t unreclaimable = uint64_t{slab.unreclaimable_pages()} + slab.large_pages();
  line(text, "KReclaimable", kb(slab.reclaimable_pages()));
  line(text, "Slab", kb(slab.reclaimable_pages() + unreclaimable));
  line(text, "SReclaimable", kb(slab.reclaimable_pages()));
  line(text, "SUnreclaim", kb(unreclaimable));
  line(text, "KernelStack", static_cast<uint64_t>(stat[NodeStat::kNrKernelStack]));
  line(text, "PageTables", kb(use.table));
  line(text, "SecPageTables", 0);
  line(text, "NFS_Unstable", 0);
  line(text, "Bounce", 0);
  line(text, "WritebackTmp", 0);
  line(text, "CommitLimit", kb(memory.overcommit().limit()));
  line(text, "Committed_AS", kb(memory.overcommit().committed()));
  line(text, "VmallocTotal", kb(memory.vmalloc().total_pages()));
  line(text, "VmallocUsed", kb(vmalloc_pages(memory)));
  line(text, "VmallocChunk", 0);
  line(text, "Percpu", 0);
  line(text, "DirectMap4k", direct.small);
  line(text, "DirectMap4M", direct.large);
  return text;
}

std::string format_vmstat(MemorySystem& memory) {
  const std::vector<NodeUse> use = count_frames(memory);
  ZoneStats zones;
  NumaStats numa;
  NodeStats nodes;
  for (const Node& node : memory.pages().nodes()) {
    accumulate(nodes, node_stats(node, use[node.id].total()), NodeStat{});
    for (const Zone& zone : node.zones) {
      accumulate(zones, zone_stats(zone, use[node.id].zones[index_of(zone.type)]), ZoneStat{});
      accumulate(numa, zone.numa, NumaStat{});
    }
  }
  VmEvents events = memory.pages().events();
  events.add(VmEvent::kPgfault, static_cast<int64_t>(memory.faults().minor + memory.faults().major));
  events.add(VmEvent::kPgmajfault, static_cast<int64_t>(memory.faults().major));

  // A fifth and a tenth of what can be dirty: free low memory less the reserve, and the cache. Linux:
  // domain_dirty_limits, with vm_highmem_is_dirtyable = 0.
  const MemoryTotals totals = memory_totals(memory);
  const uint64_t low_free = totals.free - totals.high_free;
  const uint64_t reserve = std::min<uint64_t>(low_free, memory.pages().total_reserve_pages());
  const uint64_t dirtyable =
      low_free - reserve + lru_pages(memory, LruList::kActiveFile) + lru_pages(memory, LruList::kInactiveFile) + 1;
  constexpr uint64_t kDirtyRatio = 20 * kPageSize / 100, kBackgroundRatio = 10 * kPageSize / 100;

  std::string text;
  add_counters(text, zones, kZoneStatNames, ZoneStat{});
  if (memory.pages().nodes().size() > 1) {
    add_counters(text, numa, kNumaStatNames, NumaStat{});
  }
  add_counters(text, nodes, kNodeStatNames, NodeStat{});
  fmt::format_to(std::back_inserter(text), "nr_dirty_threshold {}\nnr_dirty_background_threshold {}\n",
                 dirtyable * kDirtyRatio / kPageSize, dirtyable * kBackgroundRatio / kPageSize);
  add_counters(text, events, kVmEventNames, VmEvent{});
  text += "nr_unstable 0\n";
  return text;
}

}  // namespace fl::vm
