// Bringing a page in from swap, and some that will probably be wanted next. Linux counterpart: read_swap_cache_async,
// swapin_readahead: swap_cluster_readahead, swap_vma_readahead (mm/swap_state.c).
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/swap/swap_entry.hpp"

namespace fl::vm {

class MemorySystem;
struct VmArea;

// Pages that are read together at most, as a power of two. Linux: page_cluster, vm.page-cluster.
inline constexpr uint32_t kPageCluster = 3;

struct SwappedIn {
  Pfn pfn;            // with a reference for the caller
  bool read = false;  // it was not in the swap cache: the device was waited for
};

// The page of an entry that somebody holds. ENOMEM; EIO: it cannot be read. Nothing is read ahead.
Result<SwappedIn> read_swap_page(MemorySystem& memory, SwapEntry entry);
// The same for a fault at addr of the area, which is not null; neighbours follow: on the disk if it rotates, else in
// the address space.
Result<SwappedIn> swap_in(MemorySystem& memory, SwapEntry entry, VmArea& area, VirtAddr addr);

// What cluster readahead remembers. Linux: swapin_readahead_hits and the static variables of swapin_nr_pages.
struct SwapClusterReadahead {
  uint32_t hits = 4;
  uint32_t prev_offset = 0;
  uint32_t last_pages = 0;
};

}  // namespace fl::vm
