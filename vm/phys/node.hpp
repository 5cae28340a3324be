// Node: memory that is equally far from a CPU, with its zones, and the order in which allocations for it try all zones
// of the machine. Linux counterparts: pg_data_t, struct zonelist, node_distance.
//
// Nodes stand in simulated RAM, in memory that memblock gave at boot. The machine's one CPU belongs to node 0.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "vm/phys/vm_stat.hpp"
#include "vm/phys/zone.hpp"
#include "vm/reclaim/lruvec.hpp"

namespace fl::vm {

inline constexpr uint32_t kCpuNode = 0;  // numa_node_id()
inline constexpr uint32_t kLocalDistance = 10;
inline constexpr uint32_t kRemoteDistance = 20;
constexpr uint32_t node_distance(uint32_t a, uint32_t b) { return a == b ? kLocalDistance : kRemoteDistance; }

// A set of nodes, a bit each. Linux: nodemask_t.
using NodeMask = uint32_t;
inline constexpr NodeMask kAllNodes = (1u << kMaxNodes) - 1;

// The populated zones that an allocation tries, best first. Linux: struct zonelist.
template <uint32_t Capacity>
class Zonelist {
 public:
  void add(Zone& zone) { zones_[count_++] = &zone; }
  void clear() { count_ = 0; }
  std::span<Zone* const> zones() const { return {zones_.data(), count_}; }

 private:
  std::array<Zone*, Capacity> zones_{};
  uint32_t count_ = 0;
};

struct Node {
  uint32_t id = 0;
  uint32_t start_pfn = 0;
  uint32_t spanned = 0;
  uint32_t present = 0;
  std::array<Zone, kZoneTypes> zones;
  NodeStats stat;
  Lruvec lruvec;
  Zonelist<kMaxNodes * kZoneTypes> fallback;  // ZONELIST_FALLBACK: this node's zones, then those of the next nodes
  Zonelist<kZoneTypes> own;                   // ZONELIST_NOFALLBACK: for __GFP_THISNODE

  Zone& zone(ZoneType type) { return zones[index_of(type)]; }
  const Zone& zone(ZoneType type) const { return zones[index_of(type)]; }
  // Managed pages of each zone.
  ZoneCounts managed() const;
};

// The order in which node `local` uses all nodes: itself, then by distance, the next ones by number first; nodes that
// were somebody's first choice before come later. Linux: find_next_best_node. `load` starts as zeros and is carried
// from node to node.
std::array<uint32_t, kMaxNodes> node_order(uint32_t local, uint32_t nodes, std::array<uint32_t, kMaxNodes>& load);

// Fills both zonelists of every node. Linux: build_all_zonelists.
void build_all_zonelists(std::span<Node> nodes);

}  // namespace fl::vm
