// Refaults: what an evicted page leaves behind (its shadow: when it went), and what it means when the page comes back
// soon. Linux counterpart: mm/workingset.c.
//
// The nonresident_age of a node's lists, or of a group's there, counts evictions and activations. The number of them
// between a page's eviction and its return is how much longer the inactive list would have had to be to keep it; is
// that no more than the pages that are kept instead, the page belongs to the working set and becomes active at once.
//
// A shadow has 31 bits: was it active before, was it charged, the node, the age (the lower 26 bits). It stands in the
// page's place in the tree of its file, or of the swap cache.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"

namespace fl::vm {

class MemCgroup;
class MemorySystem;
struct Page;

// The page is being evicted: its shadow. Linux: workingset_eviction.
uint32_t workingset_eviction(MemorySystem& memory, const Page& page);
// The page of that shadow is back; it is on no list yet. Linux: workingset_refault.
void workingset_refault(MemorySystem& memory, Pfn pfn, uint32_t shadow);
// What reclaim of this group, or of the machine (null), compares with when it looks for refaults next time. Linux:
// snapshot_refaults.
void snapshot_refaults(MemorySystem& memory, MemCgroup* memcg = nullptr);

}  // namespace fl::vm
