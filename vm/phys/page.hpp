// struct page: what the kernel knows of one frame. 32 bytes a frame, in mem_map, in simulated RAM, as on i386.
//
// Lists of pages link by frame number. What a field means depends on the page's state, which the flags tell.
// Linux counterpart: struct page, enum pageflags.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"

namespace fl::vm {

struct PageFlag {
  enum Bit : uint32_t {
    kReserved = 1u << 0,       // never allocated: the kernel's image, mem_map, the zero page
    kBuddy = 1u << 1,          // head of a free block; private_ is its order
    kTable = 1u << 2,          // a page table
    kAnon = 1u << 3,           // anonymous: mapping/index do not name a file page; or in no file any more, but held
    kAnonExclusive = 1u << 4,  // anonymous and belongs to one address space: may be made writable at once
    kCache = 1u << 5,          // in the page cache of mapping at index
    kShmem = 1u << 6,          // and that mapping is shared memory
    kDirty = 1u << 7,          // newer than its backing store (file, or the swap slot of a page in the swap cache)
    kLru = 1u << 8,            // on one of its node's LRU lists
    kKernel = 1u << 9,         // allocated, and none of these: the kernel's own (the vDSO)
    kZeroed = 1u << 10,        // never used since boot: still zero
    kHead = 1u << 11,          // first of a compound page; its order is in MemMap::compound_order
    kTail = 1u << 12,          // another page of a compound page; private_ names its head
    kSlab = 1u << 13,          // holds objects of a KmemCache
    kPcp = 1u << 14,           // free, on a per-CPU list; private_ is its order
    kActive = 1u << 15,        // belongs on an active list
    kReferenced = 1u << 16,    // was seen to be used once
    kWorkingset = 1u << 17,    // was active before: its return is a thrash
    kUnevictable = 1u << 18,   // belongs on the unevictable list
    kMlocked = 1u << 19,       // a locked area maps it
    kSwapBacked = 1u << 20,    // goes to swap: belongs on the lists of anonymous pages
    kSwapCache = 1u << 21,     // in the swap cache; private_ is its SwapEntry
    kReadahead = 1u << 22,     // read ahead and not used yet
    kReclaim = kReadahead,     // with kWriteback: to be freed next when it is written. One bit on Linux, too
    kCharged = 1u << 23,       // counts against the memory limit; stays from allocation to freeing. Linux: memcg_data
    kNotUptodate = 1u << 24,   // of shared memory, made by fallocate, without contents. Linux: no PG_uptodate
    kWriteback = 1u << 25,     // reclaim has written it to swap, and the disk is not done with that
  };
};

// The top bits of the flags say where the page is: they are set at boot and never change. Linux: ZONES_PGSHIFT,
// NODES_PGSHIFT.
inline constexpr uint32_t kZonePgShift = 26;
inline constexpr uint32_t kZonePgMask = 3;
inline constexpr uint32_t kNodePgShift = 28;
inline constexpr uint32_t kMaxNodes = 8;  // Linux: MAX_NUMNODES, 1 << NODES_SHIFT
inline constexpr uint32_t kPlaceBits = ~0u << kZonePgShift;

// Names no page: end of a list, no mapping.
inline constexpr uint32_t kNoPage = 0xffffffffu;

// The low bit of Page::mapping tells an anonymous page. Linux: PAGE_MAPPING_ANON.
inline constexpr uint32_t kPageMappingAnon = 1;

struct Page {
  uint32_t flags;
  int32_t refcount;   // users: page tables, page cache, pins. 0 = free. Linux: _refcount
  int32_t mapcount;   // page-table entries that map it. Linux: _mapcount + 1
  uint32_t mapping;   // kernel address: a kCache page's Mapping; a mapped kAnon page's AnonVma + kPageMappingAnon
  uint32_t index;     // page offset in that mapping; linear page index of an anonymous page
  uint32_t lru_next;  // frame numbers; meaning by state
  uint32_t lru_prev;
  uint32_t private_;  // order of a free block

  bool has(uint32_t bits) const { return (flags & bits) != 0; }
  void set(uint32_t bits) { flags |= bits; }
  void clear(uint32_t bits) { flags &= ~bits; }
  // Takes these flags and drops all others. Where the page is, and whether it is charged, stays.
  void become(uint32_t bits) { flags = (flags & (kPlaceBits | PageFlag::kCharged)) | bits; }
  // Linux: page_zonenum, page_to_nid.
  uint32_t zone() const { return (flags >> kZonePgShift) & kZonePgMask; }
  uint32_t node() const { return flags >> kNodePgShift; }
  void set_place(uint32_t node, uint32_t zone) {
    flags = (flags & ~kPlaceBits) | zone << kZonePgShift | node << kNodePgShift;
  }
};
static_assert(sizeof(Page) == 32);

}  // namespace fl::vm
