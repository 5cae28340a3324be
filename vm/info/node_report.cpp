// A node's files. Linux: node_read_meminfo, node_read_numastat, node_read_vmstat, node_read_distance.
#include "vm/info/node_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "vm/info/totals.hpp"
#include "vm/memory_system.hpp"

namespace fl::vm {
namespace {

// "0-1,3\n". Linux: bitmap_print_to_pagebuf as a list.
std::string format_list(NodeMask mask) {
  std::string text;
  for (uint32_t first = 0; first < kMaxNodes; ++first) {
    if ((mask >> first & 1) == 0) {
      continue;
    }
    uint32_t last = first;
    while (last + 1 < kMaxNodes && (mask >> (last + 1) & 1) != 0) {
      ++last;
    }
    text += fmt::format("{}{}{}", text.empty() ? "" : ",", first, last > first ? fmt::format("-{}", last) : "");
    first = last;
  }
  return text + "\n";
}

template <typename Has>
std::string list_nodes(MemorySystem& memory, Has&& has) {
  NodeMask mask = 0;
  for (const Node& node : memory.pages().nodes()) {
    mask |= has(node) ? 1u << node.id : 0;
  }
  return format_list(mask);
}

std::string all(MemorySystem& memory) {
  return list_nodes(memory, [](const Node&) { return true; });
}
std::string has_cpu(MemorySystem& memory) {
  return list_nodes(memory, [](const Node& node) { return node.id == kCpuNode; });
}
std::string has_memory(MemorySystem& memory) {
  return list_nodes(memory, [](const Node& node) { return node.present != 0; });
}
std::string has_normal_memory(MemorySystem& memory) {
  return list_nodes(memory, [](const Node& node) {
    return node.zone(ZoneType::kDma).populated() || node.zone(ZoneType::kNormal).populated();
  });
}
std::string has_high_memory(MemorySystem& memory) {
  return list_nodes(memory, [](const Node& node) { return node.present != 0; });
}

std::string cpulist(MemorySystem&, uint32_t node) { return node == kCpuNode ? "0\n" : "\n"; }
std::string cpumap(MemorySystem&, uint32_t node) { return node == kCpuNode ? "1\n" : "0\n"; }

std::string distance(MemorySystem& memory, uint32_t node) {
  std::string text;
  for (const Node& other : memory.pages().nodes()) {
    text += fmt::format("{}{}", text.empty() ? "" : " ", node_distance(node, other.id));
  }
  return text + "\n";
}

std::string meminfo(MemorySystem& memory, uint32_t id) {
  const Node& node = memory.pages().nodes()[id];
  const MemoryTotals totals = totals_of(node);
  const NodeStats stat = node_stats(node, count_frames(memory)[id].total());
  std::string text;
  const auto add = [&](std::string_view name, uint64_t kib) {
    fmt::format_to(std::back_inserter(text), "Node {} {:<16}{:8} kB\n", id, fmt::format("{}:", name), kib);
  };
  const auto pages = [&](std::string_view name, uint64_t count) { add(name, count << (kPageShift - 10)); };
  const auto counter = [&](std::string_view name, NodeStat item) { pages(name, static_cast<uint64_t>(stat[item])); };
  const auto reclaimable = static_cast<uint64_t>(stat[NodeStat::kNrSlabReclaimable]);
  const auto unreclaimable = static_cast<uint64_t>(stat[NodeStat::kNrSlabUnreclaimable]);
  pages("MemTotal", totals.managed);
  pages("MemFree", totals.free);
  pages("MemUsed", totals.managed - totals.free);
  counter("SwapCached", NodeStat::kNrSwapcached);
  pages("Active", static_cast<uint64_t>(stat[NodeStat::kNrActiveAnon] + stat[NodeStat::kNrActiveFile]));
  pages("Inactive", static_cast<uint64_t>(stat[NodeStat::kNrInactiveAnon] + stat[NodeStat::kNrInactiveFile]));
  counter("Active(anon)", NodeStat::kNrActiveAnon);
  counter("Inactive(anon)", NodeStat::kNrInactiveAnon);
  counter("Active(file)", NodeStat::kNrActiveFile);
  counter("Inactive(file)", NodeStat::kNrInactiveFile);
  counter("Unevictable", NodeStat::kNrUnevictable);
  pages("Mlocked", count_frames(memory)[id].total().mlocked);
  pages("HighTotal", totals.high_managed);
  pages("HighFree", totals.high_free);
  pages("LowTotal", totals.managed - totals.high_managed);
  pages("LowFree", totals.free - totals.high_free);
  counter("Dirty", NodeStat::kNrDirty);
  counter("Writeback", NodeStat::kNrWriteback);
  counter("FilePages", NodeStat::kNrFilePages);
  counter("Mapped", NodeStat::kNrMapped);
  counter("AnonPages", NodeStat::kNrAnonPages);
  counter("Shmem", NodeStat::kNrShmem);
  add("KernelStack", static_cast<uint64_t>(stat[NodeStat::kNrKernelStack]));
  counter("PageTables", NodeStat::kNrPageTablePages);
  counter("SecPageTables", NodeStat::kNrSecPageTablePages);
  pages("NFS_Unstable", 0);
  pages("Bounce", 0);
  pages("WritebackTmp", 0);
  pages("KReclaimable", reclaimable);
  pages("Slab", reclaimable + unreclaimable);
  pages("SReclaimable", reclaimable);
  pages("SUnreclaim", unreclaimable);
  return text;
}

NumaStats numa_stats(const Node& node) {
  NumaStats sum;
  for (const Zone& zone : node.zones) {
    for (size_t i = 0; i < NumaStats::size(); ++i) {
      sum.add(static_cast<NumaStat>(i), zone.numa[static_cast<NumaStat>(i)]);
    }
  }
  return sum;
}

std::string numastat(MemorySystem& memory, uint32_t id) {
  const NumaStats stat = numa_stats(memory.pages().nodes()[id]);
  return fmt::format("numa_hit {}\nnuma_miss {}\nnuma_foreign {}\ninterleave_hit {}\nlocal_node {}\nother_node {}\n",
                     stat[NumaStat::kNumaHit], stat[NumaStat::kNumaMiss], stat[NumaStat::kNumaForeign],
                     stat[NumaStat::kNumaInterleave], stat[NumaStat::kNumaLocal], stat[NumaStat::kNumaOther]);
}

std::string vmstat(MemorySystem& memory, uint32_t id) {
  const Node& node = memory.pages().nodes()[id];
  const NodeUse use = count_frames(memory)[id];
  ZoneStats zones;
  for (const Zone& zone : node.zones) {
    const ZoneStats one = zone_stats(zone, use.zones[index_of(zone.type)]);
    for (size_t i = 0; i < ZoneStats::size(); ++i) {
      zones.add(static_cast<ZoneStat>(i), one[static_cast<ZoneStat>(i)]);
    }
  }
  std::string text;
  const auto add = [&text](std::string_view name, int64_t value) {
    fmt::format_to(std::back_inserter(text), "{} {}\n", name, value);
  };
  for (size_t i = 0; i < ZoneStats::size(); ++i) {
    add(kZoneStatNames[i], zones[static_cast<ZoneStat>(i)]);
  }
  const NumaStats numa = numa_stats(node);
  for (size_t i = 0; i < NumaStats::size(); ++i) {
    add(kNumaStatNames[i], numa[static_cast<NumaStat>(i)]);
  }
  const NodeStats nodes = node_stats(node, use.total());
  for (size_t i = 0; i < NodeStats::size(); ++i) {
    add(kNodeStatNames[i], nodes[static_cast<NodeStat>(i)]);
  }
  return text;
}

constexpr std::array<NodeListReport, 6> kLists = {{{"has_cpu", has_cpu},
                                                   {"has_high_memory", has_high_memory},
                                                   {"has_memory", has_memory},
                                                   {"has_normal_memory", has_normal_memory},
                                                   {"online", all},
                                                   {"possible", all}}};
constexpr std::array<NodeReport, 6> kNodeReports = {{{"cpulist", cpulist},
                                                     {"cpumap", cpumap},
                                                     {"distance", distance},
                                                     {"meminfo", meminfo},
                                                     {"numastat", numastat},
                                                     {"vmstat", vmstat}}};

}  // namespace

uint32_t node_count(MemorySystem& memory) { return static_cast<uint32_t>(memory.pages().nodes().size()); }
std::span<const NodeListReport> node_list_reports() { return kLists; }
std::span<const NodeReport> node_reports() { return kNodeReports; }

}  // namespace fl::vm
