// Lruvec: the lists of pages of a node that reclaim looks through, and what it remembers of its work. Linux
// counterpart: struct lruvec (include/linux/mmzone.h), enum lru_list.
//
// Part of a Node in simulated RAM, so it owns nothing. How long a list is says the node's counter of the same name
// (NodeStat, in the same order).
#pragma once

#include <array>
#include <cstdint>

#include "vm/phys/page_list.hpp"
#include "vm/phys/vm_stat.hpp"

namespace fl::vm {

enum class LruList : uint8_t { kInactiveAnon, kActiveAnon, kInactiveFile, kActiveFile, kUnevictable };
inline constexpr uint32_t kLruLists = 5;
inline constexpr uint32_t kEvictableLists = 4;
constexpr uint32_t index_of(LruList list) { return static_cast<uint32_t>(list); }
constexpr bool is_file(LruList list) { return list == LruList::kInactiveFile || list == LruList::kActiveFile; }
constexpr bool is_active(LruList list) { return list == LruList::kActiveAnon || list == LruList::kActiveFile; }
constexpr NodeStat node_stat_of(LruList list) { return static_cast<NodeStat>(index_of(list)); }
constexpr ZoneStat zone_stat_of(LruList list) {
  return static_cast<ZoneStat>(static_cast<uint32_t>(ZoneStat::kNrZoneInactiveAnon) + index_of(list));
}
static_assert(node_stat_of(LruList::kUnevictable) == NodeStat::kNrUnevictable);
static_assert(zone_stat_of(LruList::kUnevictable) == ZoneStat::kNrZoneUnevictable);

struct Lruvec {
  std::array<PageList, kLruLists> lists;  // head: newest
  // How much reclaim of each kind cost lately: writes, and pages that came back. Linux: anon_cost, file_cost.
  uint64_t anon_cost = 0;
  uint64_t file_cost = 0;
  // Evictions and activations so far: the clock of refault distances.
  uint64_t nonresident_age = 0;
  // Activated refaults, of anonymous and of file pages, when reclaim last ended.
  std::array<int64_t, 2> refaults{};

  PageList& list(LruList which) { return lists[index_of(which)]; }
};

}  // namespace fl::vm
