// The order of nodes, and zonelists from it.
#include "vm/phys/node.hpp"

namespace fl::vm {
namespace {

constexpr uint32_t kPenaltyForNodeWithCpus = 1;

template <uint32_t Capacity>
void add_zones(Zonelist<Capacity>& list, Node& node) {
  for (uint32_t i = kZoneTypes; i-- > 0;) {
    if (node.zones[i].managed != 0) {
      list.add(node.zones[i]);
    }
  }
}

}  // namespace

ZoneCounts Node::managed() const {
  ZoneCounts counts{};
  for (uint32_t i = 0; i < kZoneTypes; ++i) {
    counts[i] = zones[i].managed;
  }
  return counts;
}

std::array<uint32_t, kMaxNodes> node_order(uint32_t local, uint32_t nodes, std::array<uint32_t, kMaxNodes>& load) {
  std::array<uint32_t, kMaxNodes> order{};
  order[0] = local;
  NodeMask used = 1u << local;
  uint32_t previous = local;
  for (uint32_t place = 1; place < nodes; ++place) {
    uint32_t best = 0;
    uint32_t best_value = ~0u;
    for (uint32_t node = 0; node < nodes; ++node) {
      if ((used & 1u << node) != 0) {
        continue;
      }
      uint32_t value = node_distance(local, node) + (node < local ? 1 : 0);
      value += node == kCpuNode ? kPenaltyForNodeWithCpus : 0;
      value = value * kMaxNodes + load[node];
      if (value < best_value) {
        best = node;
        best_value = value;
      }
    }
    // Spread what falls back: of nodes equally far the first choice gets heavier.
    if (node_distance(local, best) != node_distance(local, previous)) {
      ++load[best];
    }
    used |= 1u << best;
    order[place] = best;
    previous = best;
  }
  return order;
}

void build_all_zonelists(std::span<Node> nodes) {
  std::array<uint32_t, kMaxNodes> load{};
  const auto count = static_cast<uint32_t>(nodes.size());
  for (Node& node : nodes) {
    const auto order = node_order(node.id, count, load);
    node.fallback.clear();
    node.own.clear();
    for (uint32_t place = 0; place < count; ++place) {
      add_zones(node.fallback, nodes[order[place]]);
    }
    add_zones(node.own, node);
  }
}

}  // namespace fl::vm
