// KmemCache: objects of one size, in slabs of 2^gfporder pages. It stands in simulated RAM itself, in the cache
// "kmem_cache". All that happens to it is SlabAllocator's work; this is only its memory.
//
// In front of the slabs is an array of free objects, last freed first, as each processor of a Linux has one; objects
// move between it and the slabs batchcount at a time. Slabs stand on one of three lists by how many of their objects
// are in use. Linux counterparts: struct kmem_cache (include/linux/slab_def.h), array_cache, kmem_cache_node.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "mmu/base/addr.hpp"
#include "vm/phys/gfp.hpp"
#include "vm/phys/page.hpp"
#include "vm/slab/slab_flags.hpp"

namespace fl::vm {

// Free objects at hand. The entries, 32-bit kernel addresses, follow it in memory.
struct ArrayCache {
  uint32_t avail;
  uint32_t limit;
  uint32_t batchcount;
  uint32_t touched;  // used since the last cache_reap

  uint32_t* entries() { return reinterpret_cast<uint32_t*>(this + 1); }
  static constexpr uint32_t bytes(uint32_t limit) {
    return static_cast<uint32_t>(sizeof(ArrayCache) + limit * sizeof(uint32_t));
  }
};

// Slabs, linked by frame number through Page::lru_next and lru_prev.
struct SlabList {
  uint32_t head = kNoPage;
  uint32_t tail = kNoPage;
  uint32_t count = 0;
};

struct KmemCacheNode {
  SlabList partial;
  SlabList full;
  SlabList free;
  uint32_t free_objects = 0;  // in the slabs, without those in the array
  uint32_t free_limit = 0;    // with more than these, free slabs are given back
  uint32_t colour_next = 0;
  uint32_t free_touched = 0;  // a free slab was used since the last cache_reap
};

inline constexpr uint32_t kSlabNameBytes = 32;

struct KmemCache {
  using Constructor = void (*)(void* object);

  ArrayCache* cpu_cache = nullptr;
  // How many objects the array holds and moves at once. Linux: enable_cpucache.
  uint32_t limit = 1;
  uint32_t batchcount = 1;
  uint32_t shared = 0;

  // Geometry (slab_geometry.hpp).
  uint32_t size = 0;         // of an object with alignment and debugging
  uint32_t object_size = 0;  // as asked for
  uint32_t obj_offset = 0;   // of the object in its slot: what debugging puts before it
  uint32_t align = 0;
  uint32_t reciprocal_size = 0;  // 2^32 / size, rounded up
  SlabFlags flags;
  uint32_t num = 0;  // objects a slab
  uint32_t gfporder = 0;
  uint32_t colour = 0;      // different places for a slab's first object,
  uint32_t colour_off = 0;  // so many bytes apart
  uint32_t freelist_size = 0;
  Gfp allocflags;
  KmemCache* freelist_cache = nullptr;  // of the free lists, if they are off slab
  Constructor ctor = nullptr;

  KmemCacheNode node;
  KmemCache* next = nullptr;  // slab_caches, newest first
  uint64_t operations = 0;    // allocations and frees so far; the last users of objects are told by this number
  // The array until there is memory for a real one: room for one object. Linux: init_arraycache.
  struct {
    ArrayCache array;
    uint32_t entry;
  } boot = {{0, 1, 1, 0}, 0};
  std::array<char, kSlabNameBytes> name_text{};

  std::string_view name() const { return name_text.data(); }
  bool off_slab() const { return flags.has(kSlabOffSlab); }
  bool debugged() const { return flags.has(kSlabDebugFlags); }
  uint32_t slabs() const { return node.partial.count + node.full.count + node.free.count; }
};

// One line of /proc/slabinfo. Linux: struct slabinfo.
struct SlabInfo {
  std::string_view name;
  uint32_t active_objs = 0;
  uint32_t num_objs = 0;
  uint32_t objsize = 0;  // with alignment and debugging, as slabinfo prints it
  uint32_t objects_per_slab = 0;
  uint32_t pages_per_slab = 0;
  uint32_t limit = 0;
  uint32_t batchcount = 0;
  uint32_t sharedfactor = 0;
  uint32_t active_slabs = 0;
  uint32_t num_slabs = 0;
  uint32_t sharedavail = 0;
  // Not in Linux's text. Objects that somebody holds: active_objs without those that wait in the array.
  uint32_t used_objs = 0;
  bool reclaimable = false;
};

}  // namespace fl::vm
