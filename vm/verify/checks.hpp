// The checks, one file an idea, and what they share: a count of who uses each frame. Inside vm/verify only.
#pragma once

#include <cstdint>
#include <vector>

#include "vm/verify/violations.hpp"

namespace fl::vm {

class AddressSpace;
class MemorySystem;

// Who uses a frame, recounted from the page tables and the free lists.
struct FrameUsers {
  uint32_t maps = 0;              // entries that map it, special ones apart
  uint32_t writable_private = 0;  // of these, writable ones of private areas
  uint32_t tables = 0;            // address spaces whose directory or table it is
  bool free = false;              // inside a block of the buddy system
};
using FrameUserTable = std::vector<FrameUsers>;

// 2: blocks, lists and counters of the buddy system. Marks the free frames.
void check_buddy(MemorySystem& memory, FrameUserTable& uses, Violations& out);
// 3: the list and tree of areas. 12: counters of areas.
void check_areas(AddressSpace& mm, Violations& out);
// What is charged to the commit limit is that of all areas and shared memory.
void check_commitments(MemorySystem& memory, Violations& out);
// 4, 8, 12, 13: every entry of the address space. Counts maps and tables.
void check_tables(AddressSpace& mm, FrameUserTable& uses, Violations& out);
// 10: page cache and struct page.
void check_cache(MemorySystem& memory, Violations& out);
// 11: the LRU lists.
void check_lru(MemorySystem& memory, Violations& out);
// 9: swap slots against entries, shared memory and swap cache.
void check_swap(MemorySystem& memory, Violations& out);
// 1, 5, 6, 8, 13: every struct page against what was counted. Comes last.
void check_pages(MemorySystem& memory, const FrameUserTable& uses, Violations& out);

// 14: kernel objects.
void check_slab(MemorySystem& memory, Violations& out);
// 7: every mapped page's entries are found from it. Comes after check_tables.
void check_rmap(MemorySystem& memory, const FrameUserTable& uses, Violations& out);
// 15, 16: what the processor remembers. Needs to know which frames are free.
void check_translations(MemorySystem& memory, const FrameUserTable& uses, Violations& out);

}  // namespace fl::vm
