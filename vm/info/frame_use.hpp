// What the frames of each node are used for, counted from struct page itself.
//
// Linux keeps most of these in counters (node_stat_item) that every change updates; here they are counted when somebody
// asks, so that they cannot be wrong: one walk over mem_map, a millisecond for a GiB.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "vm/phys/zone_type.hpp"

namespace fl::vm {

class MemorySystem;

// Frames. Each frame of memory is in exactly one of the first group.
struct FrameUse {
  uint64_t free = 0;        // in the buddy system. Linux: NR_FREE_PAGES
  uint64_t pcp = 0;         // free, on per-CPU lists
  uint64_t anon = 0;        // NR_ANON_MAPPED
  uint64_t file = 0;        // in the page cache, shared memory included. NR_FILE_PAGES
  uint64_t swap_cache = 0;  // in the swap cache, and in no page table
  uint64_t table = 0;       // NR_PAGETABLE
  uint64_t slab = 0;
  uint64_t kernel = 0;    // allocated, none of these: the vDSO, vmalloc, large kmalloc
  uint64_t reserved = 0;  // not managed: the kernel's image, mem_map, what memblock gave away

  uint64_t mapped = 0;   // of file: in some page table. NR_FILE_MAPPED
  uint64_t shmem = 0;    // of file: NR_SHMEM
  uint64_t dirty = 0;    // of file, without shmem: NR_FILE_DIRTY
  uint64_t mlocked = 0;  // of all: a locked area maps it. NR_MLOCK

  FrameUse& operator+=(const FrameUse& other);
};

struct NodeUse {
  std::array<FrameUse, kZoneTypes> zones;
  FrameUse total() const;
};

// By node.
std::vector<NodeUse> count_frames(MemorySystem& memory);

}  // namespace fl::vm
