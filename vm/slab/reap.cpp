// Giving back what caches hold without need, and looking at them. Linux counterparts: cache_reap, drain_freelist,
// __kmem_cache_shrink, get_slabinfo (mm/slab.c).
#include <algorithm>
#include <cstring>

#include "vm/slab/slab_allocator.hpp"

namespace fl::vm {

// The objects of the array that wait longest go to their slabs.
void SlabAllocator::drain_array(KmemCache& cache, uint32_t objects) {
  ArrayCache& array = *cache.cpu_cache;
  const uint32_t count = std::min(objects, array.avail);
  free_block(cache, array.entries(), count);
  array.avail -= count;
  std::memmove(array.entries(), array.entries() + count, array.avail * sizeof(uint32_t));
}

// Gives back up to `slabs` free slabs; how many there were.
uint32_t SlabAllocator::drain_freelist(KmemCache& cache, uint32_t slabs) {
  uint32_t freed = 0;
  for (; freed < slabs && cache.node.free.count != 0; ++freed) {
    const Slab slab = slab_at(Pfn(cache.node.free.tail));
    slab_list_remove(mem_map_, cache.node.free, slab.pfn());
    cache.node.free_objects -= cache.num;
    slab_destroy(cache, slab);
  }
  return freed;
}

uint32_t SlabAllocator::kmem_cache_shrink(KmemCache& cache) {
  // free_block gives slabs back too when there are more than the limit.
  const uint32_t before = cache.slabs();
  drain_array(cache, cache.cpu_cache->avail);
  drain_freelist(cache, UINT32_MAX);
  return before - cache.slabs();
}

uint32_t SlabAllocator::shrink_all() {
  const uint32_t before = unreclaimable_pages_ + reclaimable_pages_;
  for (KmemCache* cache = slab_caches_; cache != nullptr; cache = cache->next) {
    kmem_cache_shrink(*cache);
  }
  // Free lists of slabs that are gone now, off slab, and so possibly whole slabs of kmalloc.
  for (uint32_t i = 0; i < kKmallocCaches; ++i) {
    kmem_cache_shrink(*kmalloc_caches_[kKmallocNormal][i]);
  }
  return before - (unreclaimable_pages_ + reclaimable_pages_);
}

uint32_t SlabAllocator::cache_reap() {
  uint32_t freed = 0;
  for (KmemCache* cache = slab_caches_; cache != nullptr; cache = cache->next) {
    ArrayCache& array = *cache->cpu_cache;
    if (array.touched != 0) {
      array.touched = 0;
    } else {
      const uint32_t fifth = (array.limit + 4) / 5;
      drain_array(*cache, fifth > array.avail ? (array.avail + 1) / 2 : fifth);
    }
    if (cache->node.free_touched != 0) {
      cache->node.free_touched = 0;
    } else {
      freed += drain_freelist(*cache, (cache->node.free_limit + 5 * cache->num - 1) / (5 * cache->num));
    }
  }
  return freed;
}

SlabInfo SlabAllocator::info(const KmemCache& cache) const {
  const uint32_t objects = cache.slabs() * cache.num;
  const uint32_t active = objects - cache.node.free_objects;
  return SlabInfo{.name = cache.name(),
                  .active_objs = active,
                  .num_objs = objects,
                  .objsize = cache.size,
                  .objects_per_slab = cache.num,
                  .pages_per_slab = 1u << cache.gfporder,
                  .limit = cache.limit,
                  .batchcount = cache.batchcount,
                  .sharedfactor = cache.shared,
                  .active_slabs = cache.slabs() - cache.node.free.count,
                  .num_slabs = cache.slabs(),
                  .sharedavail = 0,
                  .used_objs = active - cache.cpu_cache->avail,
                  .reclaimable = cache.flags.has(kSlabReclaimAccount)};
}

std::vector<SlabInfo> SlabAllocator::slabinfo() const {
  std::vector<SlabInfo> lines;
  for (const KmemCache* cache = slab_caches_; cache != nullptr; cache = cache->next) {
    lines.push_back(info(*cache));
  }
  return lines;
}

}  // namespace fl::vm
