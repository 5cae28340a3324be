// MemPolicy: which nodes an allocation should come from. Linux counterparts: struct mempolicy, policy_nodemask,
// policy_node, offset_il_node, alloc_page_interleave (mm/mempolicy.c).
//
// A task has a policy and so may each area; whoever allocates for them passes it here. Simplified: no
// MPOL_F_STATIC_NODES or RELATIVE_NODES rebinding (there are no cpusets to move to), no preferred-many.
#pragma once

#include <cstdint>

#include "mmu/base/result.hpp"
#include "vm/phys/gfp.hpp"
#include "vm/phys/page_allocator.hpp"

namespace fl::vm {

// The numbers of the system calls. Linux: MPOL_*.
enum class PolicyMode : uint8_t { kDefault = 0, kPreferred = 1, kBind = 2, kInterleave = 3, kLocal = 4 };

struct MemPolicy {
  PolicyMode mode = PolicyMode::kDefault;
  NodeMask nodes = 0;  // of preferred only the first counts

  // What mbind and set_mempolicy accept on a machine with the given nodes: EINVAL for nodes without memory alone, an
  // empty set where one is needed, or a set where none may be. preferred with no nodes is local. Linux: mpol_new.
  static Result<MemPolicy> create(PolicyMode mode, NodeMask nodes, NodeMask online);
  // Nothing special is wanted: whoever is asked next decides (the task, then the local node).
  bool none() const { return mode == PolicyMode::kDefault; }
  friend bool operator==(const MemPolicy&, const MemPolicy&) = default;
};

// The node that page `index` of something interleaved belongs on: the nodes of the policy in turn.
uint32_t interleave_node(const MemPolicy& policy, uint64_t index);

// alloc_pages under a policy. `index`: for interleave, the page's number: in its file, or of its address, or the task's
// count of pages so far. bind is strict for the highest zone of the machine only: low memory comes from any node.
Result<Pfn> alloc_pages_policy(PageAllocator& pages, Gfp gfp, uint32_t order, const MemPolicy& policy, uint64_t index);

}  // namespace fl::vm
