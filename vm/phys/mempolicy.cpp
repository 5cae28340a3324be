// From a policy to a preferred node and a set of nodes that may be used.
#include "vm/phys/mempolicy.hpp"

#include <algorithm>
#include <bit>

#include "mmu/base/check.hpp"

namespace fl::vm {
namespace {

uint32_t first_node(NodeMask nodes) { return static_cast<uint32_t>(std::countr_zero(nodes)); }

// The lowest kind of zone that bind holds for: the highest one with memory. If none of the nodes has any of it, only
// the pages that might be movable. Linux: policy_zone, apply_policy_zone.
ZoneType policy_zone(const PageAllocator& pages, NodeMask nodes) {
  ZoneType highest = ZoneType::kDma;
  bool nodes_have_memory = false;
  pages.for_each_zone([&](const Zone& zone) {
    if (zone.managed != 0) {
      highest = std::max(highest, zone.type);
      nodes_have_memory |= (nodes >> zone.node & 1) != 0;
    }
  });
  return nodes_have_memory ? highest : ZoneType::kMovable;
}

}  // namespace

Result<MemPolicy> MemPolicy::create(PolicyMode mode, NodeMask nodes, NodeMask online) {
  switch (mode) {
    case PolicyMode::kDefault:
    case PolicyMode::kLocal:
      if (nodes != 0) {
        return fail(Errno::kEINVAL);
      }
      return MemPolicy{mode, 0};
    case PolicyMode::kPreferred:
      if (nodes == 0) {
        return MemPolicy{PolicyMode::kLocal, 0};
      }
      break;
    case PolicyMode::kBind:
    case PolicyMode::kInterleave:
      break;
    default:
      return fail(Errno::kEINVAL);
  }
  nodes &= online;
  if (nodes == 0) {
    return fail(Errno::kEINVAL);
  }
  return MemPolicy{mode, mode == PolicyMode::kPreferred ? nodes & -nodes : nodes};
}

uint32_t interleave_node(const MemPolicy& policy, uint64_t index) {
  FL_CHECK(policy.nodes != 0, "interleaving over no nodes");
  NodeMask nodes = policy.nodes;
  for (auto skip = index % static_cast<uint64_t>(std::popcount(nodes)); skip > 0; --skip) {
    nodes &= nodes - 1;
  }
  return first_node(nodes);
}

Result<Pfn> alloc_pages_policy(PageAllocator& pages, Gfp gfp, uint32_t order, const MemPolicy& policy, uint64_t index) {
  switch (policy.mode) {
    case PolicyMode::kInterleave: {
      const uint32_t node = interleave_node(policy, index);
      FL_TRY_ASSIGN(const Pfn pfn, pages.alloc_pages_node(gfp, order, node));
      if (Zone& zone = pages.zone_of(pfn); zone.node == node) {
        zone.numa.add(NumaStat::kNumaInterleave, 1);
      }
      return pfn;
    }
    case PolicyMode::kPreferred:
      return pages.alloc_pages_node(gfp, order, first_node(policy.nodes));
    case PolicyMode::kBind:
      return pages.alloc_pages_node(gfp, order, kCpuNode,
                                    gfp_zone(gfp) >= policy_zone(pages, policy.nodes) ? policy.nodes : kAllNodes);
    case PolicyMode::kDefault:
    case PolicyMode::kLocal:
      break;
  }
  return pages.alloc_pages(gfp, order);
}

}  // namespace fl::vm
