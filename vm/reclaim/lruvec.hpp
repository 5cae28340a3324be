// Lruvec: the lists of pages of a node that reclaim looks through, and what it remembers of its work. Linux
// counterpart: struct lruvec (include/linux/mmzone.h), enum lru_list; lru_zone_size of struct mem_cgroup_per_node.
//
// A node has one for the pages that are charged to nobody, in simulated RAM, so it owns nothing; a MemCgroup has one
// for each node. The node's counters (NodeStat, in the same order) count the pages of both.
#pragma once

#include <array>
#include <cstdint>

#include "vm/phys/page_list.hpp"
#include "vm/phys/vm_stat.hpp"
#include "vm/phys/zone_type.hpp"

namespace fl::vm {

class MemCgroup;
struct Node;

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

// Counters of a Lruvec as reclaim reads them. Linux: lruvec_page_state.
struct LruvecState {
  std::array<uint64_t, kEvictableLists> pages{};
  // Activated refaults so far, of anonymous and of file pages. Linux: WORKINGSET_ACTIVATE_ANON and _FILE.
  std::array<uint64_t, 2> activated{};
  uint64_t operator[](LruList list) const { return pages[fl::vm::index_of(list)]; }
};

struct Lruvec {
  std::array<PageList, kLruLists> lists;  // head: newest
  // Pages of each list, by zone.
  std::array<std::array<uint32_t, kZoneTypes>, kLruLists> zone_sizes{};
  // Where the pages are, and whom they are charged to: null for nobody. Linux: lruvec_pgdat, lruvec_memcg.
  Node* node = nullptr;
  MemCgroup* memcg = nullptr;
  // How much reclaim of each kind cost lately: writes, and pages that came back. Linux: anon_cost, file_cost.
  uint64_t anon_cost = 0;
  uint64_t file_cost = 0;
  // Evictions and activations so far: the clock of refault distances.
  uint64_t nonresident_age = 0;
  // As in LruvecState, at once.
  std::array<uint64_t, 2> activated{};
  // What LruvecState::activated was when reclaim last ended.
  std::array<uint64_t, 2> refaults{};

  PageList& list(LruList which) { return lists[index_of(which)]; }
  // Pages of a list in zones up to `highest`. Linux: lruvec_lru_size.
  uint64_t size(LruList which, ZoneType highest = ZoneType::kMovable) const {
    uint64_t pages = 0;
    for (uint32_t zone = 0; zone <= fl::vm::index_of(highest); ++zone) {
      pages += zone_sizes[fl::vm::index_of(which)][zone];
    }
    return pages;
  }
};

}  // namespace fl::vm
