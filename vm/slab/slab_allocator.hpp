// SlabAllocator: all caches of the machine, and kmalloc over them. Kernel objects are ordinary C++ objects in low
// simulated memory, so host pointers name them; their kernel addresses come from DirectMap.
//
// One processor, one node: no alien or shared arrays. Freed objects go to the array of their cache, overflow to their
// slabs, and whole free slabs beyond a cache's free_limit to the page allocator. Linux counterparts: mm/slab.c (6.1),
// mm/slab_common.c. An allocation gives null where Linux gives NULL: out of memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mmu/base/addr.hpp"
#include "mmu/ram.hpp"
#include "vm/kernel_space/direct_map.hpp"
#include "vm/phys/gfp.hpp"
#include "vm/phys/mem_map.hpp"
#include "vm/phys/page_allocator.hpp"
#include "vm/slab/kmem_cache.hpp"
#include "vm/slab/slab_geometry.hpp"
#include "vm/slab/slab_page.hpp"

namespace fl::vm {

class SlabAllocator {
 public:
  // Boots: "kmem_cache", the kmalloc caches, then everybody's arrays. RAM must have room for them (about 16 frames);
  // that it has is MemorySystem's check. All arguments must outlive it. Linux: kmem_cache_init.
  SlabAllocator(const mmu::Ram& ram, MemMap& mem_map, PageAllocator& pages, SlabDebug debug);
  SlabAllocator(const SlabAllocator&) = delete;
  SlabAllocator& operator=(const SlabAllocator&) = delete;

  // --- caches ---
  // A cache for objects of `size` bytes, aligned to `align` (0: as a pointer). `ctor` runs once for each object of a
  // new slab, and again before each allocation when free objects are poisoned. Null: no memory, or no slab is large
  // enough. Names have less than 32 characters.
  KmemCache* kmem_cache_create(std::string_view name, uint32_t size, uint32_t align, SlabFlags flags,
                               KmemCache::Constructor ctor = nullptr);
  enum class Destroyed : uint8_t { kYes, kStillHasObjects };
  Destroyed kmem_cache_destroy(KmemCache* cache);
  // Gives back all free slabs, those objects in the array included; how many slabs.
  uint32_t kmem_cache_shrink(KmemCache& cache);

  // --- objects ---
  void* kmem_cache_alloc(KmemCache& cache, Gfp gfp);
  void kmem_cache_free(KmemCache& cache, void* object);

  // --- sizes ---
  // `size` bytes that lie together in low memory: from the smallest kmalloc cache that will do, above 8 KiB whole
  // pages. Null: no memory; for size 0 too.
  void* kmalloc(size_t size, Gfp gfp);
  // Gives back what kmalloc or kmem_cache_alloc gave; the cache is found through struct page. Null is allowed.
  void kfree(void* object);
  // The bytes that may be used behind a pointer from kmalloc.
  size_t ksize(const void* object) const;
  // The cache that kmalloc takes for a size; null above 8 KiB. Linux: kmalloc_slab.
  KmemCache* kmalloc_slab(size_t size, Gfp gfp) const;

  // --- reaping ---
  // Every two seconds on Linux: empties arrays that were not used since the last time by a fifth, and gives back a
  // fifth of a free_limit of free slabs of caches that needed none. How many slabs.
  uint32_t cache_reap();
  // Shrinks every cache; how many pages came back.
  uint32_t shrink_all();

  // --- looking ---
  // Every cache, newest first, as /proc/slabinfo lists them.
  std::vector<SlabInfo> slabinfo() const;
  SlabInfo info(const KmemCache& cache) const;
  const KmemCache* caches() const { return slab_caches_; }
  // Pages in slabs of caches without and with kSlabReclaimAccount (SUnreclaim, SReclaimable of meminfo), and pages of
  // kmalloc beyond the caches.
  uint32_t unreclaimable_pages() const { return unreclaimable_pages_; }
  uint32_t reclaimable_pages() const { return reclaimable_pages_; }
  uint32_t large_pages() const { return large_pages_; }
  // Everything that is wrong with lists, counts, free lists, red zones and poison; empty if nothing.
  std::vector<std::string> problems() const;
  const DirectMap& direct_map() const { return direct_map_; }
  SlabDebug debug() const { return debug_; }

 private:
  static constexpr uint32_t kKmallocCaches = 11;  // 32 64 96 128 192 256 512 1024 2048 4096 8192
  enum KmallocType : uint8_t { kKmallocNormal, kKmallocDma, kKmallocTypes };

  // Creating (slab_create.cpp).
  void boot_kmem_cache();
  void boot_kmalloc();
  FitsSlab fill_in(KmemCache& cache, std::string_view name, uint32_t size, uint32_t align, SlabFlags flags,
                   KmemCache::Constructor ctor) const;
  bool enable_cpucache(KmemCache& cache);
  void use_array(KmemCache& cache, ArrayCache* array);

  // Slabs and arrays (slab_allocator.cpp).
  Slab slab_at(Pfn first) const { return {direct_map_, mem_map_, first}; }
  Slab slab_of(const void* object) const;
  void* cache_alloc_refill(KmemCache& cache, Gfp gfp);
  uint32_t alloc_block(KmemCache& cache, ArrayCache& array, Slab& slab, uint32_t batchcount);
  bool cache_grow(KmemCache& cache, Gfp gfp, uint32_t batchcount);
  void cache_init_objs(KmemCache& cache, Slab& slab);
  void cache_flusharray(KmemCache& cache);
  void free_block(KmemCache& cache, const uint32_t* objects, uint32_t count);
  void slab_destroy(KmemCache& cache, Slab slab);
  void account_pages(const KmemCache& cache, const Page& page, int32_t pages);
  void fix_up_list(KmemCache& cache, SlabList& from, Slab& slab);
  void* large_kmalloc(size_t size, Gfp gfp);

  // Reaping (reap.cpp).
  void drain_array(KmemCache& cache, uint32_t objects);
  uint32_t drain_freelist(KmemCache& cache, uint32_t slabs);

  DirectMap direct_map_;
  MemMap& mem_map_;
  PageAllocator& pages_;
  SlabDebug debug_;
  uint32_t slab_max_order_;
  uint32_t array_limit_;
  bool arrays_ = false;  // there is memory for arrays. Linux: slab_state == FULL
  KmemCache* kmem_cache_ = nullptr;
  KmemCache* slab_caches_ = nullptr;
  KmemCache* kmalloc_caches_[kKmallocTypes][kKmallocCaches] = {};
  uint32_t unreclaimable_pages_ = 0;
  uint32_t reclaimable_pages_ = 0;
  uint32_t large_pages_ = 0;
};

}  // namespace fl::vm
