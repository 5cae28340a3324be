// Zone after zone, node after node.
#include "vm/info/zone_reports.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "vm/info/totals.hpp"
#include "vm/memory_system.hpp"

namespace fl::vm {
namespace {

template <typename... Args>
void add(std::string& text, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
}

template <typename Visit>
void for_each_populated_zone(MemorySystem& memory, Visit&& visit) {
  memory.pages().for_each_zone([&visit](const Zone& zone) {
    if (zone.populated()) {
      visit(zone);
    }
  });
}

template <typename Stats, typename Names, typename Item>
void add_counters(std::string& text, const Stats& stats, const Names& names, Item) {
  for (size_t i = 0; i < names.size(); ++i) {
    add(text, "\n      {:<12} {}", names[i], stats[static_cast<Item>(i)]);
  }
}

uint32_t blocks_of_type(const MemMap& map, const FreeArea& area, uint32_t type) {
  uint32_t blocks = 0;
  for (uint32_t head = area.lists[type].head; head != kNoPage; head = map[Pfn(head)].lru_next) {
    ++blocks;
  }
  return blocks;
}

void add_zone(std::string& text, MemorySystem& memory, const Node& node, const Zone& zone, const NodeUse& use) {
  const auto populated = [](const Zone& one) { return one.populated(); };
  add(text, "Node {}, zone {:>8}", node.id, zone.name());
  if (&zone == &*std::find_if(node.zones.begin(), node.zones.end(), populated)) {
    text += "\n  per-node stats";
    add_counters(text, node_stats(node, use.total()), kNodeStatNames, NodeStat{});
  }
  add(text,
      "\n  pages free     {}\n        boost    0\n        min      {}\n        low      {}\n        high     {}"
      "\n        spanned  {}\n        present  {}\n        managed  {}\n        cma      0\n        protection: ({})",
      zone.free_pages(), zone.watermark.min, zone.watermark.low, zone.watermark.high, zone.spanned, zone.present,
      zone.managed, fmt::join(zone.lowmem_reserve, ", "));
  if (!zone.populated()) {
    text += '\n';
    return;
  }
  add_counters(text, zone_stats(zone, use.zones[index_of(zone.type)]), kZoneStatNames, ZoneStat{});
  if (memory.pages().nodes().size() > 1) {
    add_counters(text, zone.numa, kNumaStatNames, NumaStat{});
  }
  add(text,
      "\n  pagesets\n    cpu: 0\n              count: {}\n              high:  {}\n              batch: {}"
      "\n  vm stats threshold: 0\n  node_unreclaimable:  0\n  start_pfn:           {}\n",
      zone.pcp.count, zone.pcp.high, zone.pcp.batch, zone.start_pfn);
}

}  // namespace

std::string format_buddyinfo(MemorySystem& memory) {
  std::string text;
  for_each_populated_zone(memory, [&text](const Zone& zone) {
    add(text, "Node {}, zone {:>8} ", zone.node, zone.name());
    for (const FreeArea& area : zone.free_area) {
      add(text, "{:6} ", area.nr_free);
    }
    text += '\n';
  });
  return text;
}

std::string format_pagetypeinfo(MemorySystem& memory) {
  std::string text = fmt::format("Page block order: {}\nPages per block:  {}\n\n{:<43} ", kPageblockOrder,
                                 kPageblockFrames, "Free pages count per migrate type at order");
  for (uint32_t order = 0; order <= kMaxOrder; ++order) {
    add(text, "{:6} ", order);
  }
  text += '\n';
  for_each_populated_zone(memory, [&](const Zone& zone) {
    for (uint32_t type = 0; type < kMigrateTypes; ++type) {
      add(text, "Node {:4}, zone {:>8}, type {:>12} ", zone.node, zone.name(), kMigrateTypeNames[type]);
      for (const FreeArea& area : zone.free_area) {
        add(text, "{:6} ", blocks_of_type(memory.mem_map(), area, type));
      }
      text += '\n';
    }
  });
  add(text, "\n{:<23}", "Number of blocks type ");
  for (const std::string_view name : kMigrateTypeNames) {
    add(text, "{:>12} ", name);
  }
  text += '\n';
  for_each_populated_zone(memory, [&](const Zone& zone) {
    add(text, "Node {}, zone {:>8} ", zone.node, zone.name());
    for (uint32_t type = 0; type < kMigrateTypes; ++type) {
      add(text, "{:12} ", std::count(zone.pageblocks.begin(), zone.pageblocks.end(), static_cast<MigrateType>(type)));
    }
    text += '\n';
  });
  return text;
}

std::string format_zoneinfo(MemorySystem& memory) {
  std::string text;
  const std::vector<NodeUse> use = count_frames(memory);
  for (const Node& node : memory.pages().nodes()) {
    for (const Zone& zone : node.zones) {
      add_zone(text, memory, node, zone, use[node.id]);
    }
  }
  return text;
}

}  // namespace fl::vm
