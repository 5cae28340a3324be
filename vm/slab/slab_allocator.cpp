// Objects: out of the array, the array out of slabs, slabs out of pages, and all the way back.
#include "vm/slab/slab_allocator.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "mmu/base/check.hpp"
#include "vm/slab/slab_debug.hpp"

namespace fl::vm {
namespace {

// What an array that was not used lately takes at once. Linux: BATCHREFILL_LIMIT.
constexpr uint32_t kBatchRefillLimit = 16;

}  // namespace

// --- allocating ---

void* SlabAllocator::kmem_cache_alloc(KmemCache& cache, Gfp gfp) {
  // Linux: should_failslab.
  if (pages_.fail_alloc().should_fail() && !gfp.has(kGfpNoFail)) [[unlikely]] {
    return nullptr;
  }
  ArrayCache& array = *cache.cpu_cache;
  std::byte* slot = nullptr;
  if (array.avail != 0) [[likely]] {
    array.touched = 1;
    slot = direct_map_.pointer<std::byte>(VirtAddr(array.entries()[--array.avail]));
  } else {
    slot = static_cast<std::byte*>(cache_alloc_refill(cache, gfp));
    if (slot == nullptr) {
      return nullptr;
    }
  }
  if (cache.debugged()) [[unlikely]] {
    SlabDebugger(direct_map_, cache).on_alloc(slot);
  }
  void* const object = slot + cache.obj_offset;
  if (gfp.has(kGfpZero)) {
    std::memset(object, 0, cache.object_size);
  }
  return object;
}

void* SlabAllocator::cache_alloc_refill(KmemCache& cache, Gfp gfp) {
  ArrayCache* array = cache.cpu_cache;
  uint32_t batchcount = array->batchcount;
  if (array->touched == 0) {
    batchcount = std::min(batchcount, kBatchRefillLimit);
  }
  KmemCacheNode& node = cache.node;
  while (batchcount > 0) {
    SlabList* from = &node.partial;
    if (from->head == kNoPage) {
      from = &node.free;
      node.free_touched = 1;
      if (from->head == kNoPage) {
        break;
      }
    }
    Slab slab = slab_at(Pfn(from->head));
    batchcount = alloc_block(cache, *array, slab, batchcount);
    fix_up_list(cache, *from, slab);
  }
  if (array->avail == 0) {
    // Taking pages may reclaim, and so fill or empty this very cache.
    if (!cache_grow(cache, gfp, batchcount) && cache.cpu_cache->avail == 0) {
      return nullptr;
    }
    array = cache.cpu_cache;
  }
  array->touched = 1;
  return direct_map_.pointer<std::byte>(VirtAddr(array->entries()[--array->avail]));
}

// Moves up to batchcount free objects of a slab into the array; what is left of batchcount.
uint32_t SlabAllocator::alloc_block(KmemCache& cache, ArrayCache& array, Slab& slab, uint32_t batchcount) {
  const uint8_t* list = slab.freelist();
  uint32_t active = slab.active();
  while (active < cache.num && batchcount > 0) {
    array.entries()[array.avail++] = direct_map_.address_of(slab.slot(cache, list[active++])).value();
    --batchcount;
    --cache.node.free_objects;
  }
  slab.set_active(active);
  return batchcount;
}

// Puts a slab on the list that its number of used objects asks for. Linux: fixup_slab_list.
void SlabAllocator::fix_up_list(KmemCache& cache, SlabList& from, Slab& slab) {
  slab_list_remove(mem_map_, from, slab.pfn());
  if (slab.active() == cache.num) {
    slab_list_push_front(mem_map_, cache.node.full, slab.pfn());
    if (cache.flags.has(kSlabObjFreelist)) {
      slab.set_freelist(nullptr);  // its last object, where the list was, is given away now
    }
  } else {
    slab_list_push_front(mem_map_, cache.node.partial, slab.pfn());
  }
}

bool SlabAllocator::cache_grow(KmemCache& cache, Gfp gfp, uint32_t batchcount) {
  const Gfp page_gfp = gfp.without(kGfpZero | kGfpHighmem | kGfpMovable) | cache.allocflags | kGfpComp;
  const Result<Pfn> first = pages_.alloc_pages(page_gfp, cache.gfporder);
  if (!first) {
    return false;
  }
  uint32_t colour = cache.node.colour_next++;
  if (cache.node.colour_next >= cache.colour) {
    cache.node.colour_next = 0;
  }
  colour = colour >= cache.colour ? 0 : colour;

  for (uint32_t i = 0; i < 1u << cache.gfporder; ++i) {
    Page& page = mem_map_[*first + i];
    page.clear(PageFlag::kKernel);
    page.set(PageFlag::kSlab);
  }
  Slab slab = slab_at(*first);
  slab.page().mapping = direct_map_.address_of(&cache).value();
  slab.page().index = 0;
  slab.set_colour_bytes(colour * cache.colour_off);
  account_pages(cache, slab.page(), 1 << cache.gfporder);
  void* list = slab.base() + (kPageSize << cache.gfporder) - cache.freelist_size;
  if (cache.flags.has(kSlabObjFreelist)) {
    list = slab.slot(cache, cache.num - 1) + cache.obj_offset;
  } else if (cache.off_slab()) {
    list = kmem_cache_alloc(*cache.freelist_cache, gfp.without(kGfpZero));
    if (list == nullptr) {
      slab.set_freelist(nullptr);
      slab_destroy(cache, slab);
      return false;
    }
  }
  slab.set_freelist(list);
  cache_init_objs(cache, slab);

  cache.node.free_objects += cache.num;
  slab_list_push_front(mem_map_, cache.node.free, *first);
  // Reclaim may have freed objects into the array meanwhile: then the slab is left for later.
  if (cache.cpu_cache->avail == 0) {
    alloc_block(cache, *cache.cpu_cache, slab, std::max(batchcount, 1u));
    fix_up_list(cache, cache.node.free, slab);
  }
  return true;
}

void SlabAllocator::cache_init_objs(KmemCache& cache, Slab& slab) {
  for (uint32_t i = 0; i < cache.num; ++i) {
    if (cache.debugged()) {
      SlabDebugger(direct_map_, cache).init_slot(slab.slot(cache, i));
    } else if (cache.ctor != nullptr) {
      cache.ctor(slab.slot(cache, i));
    }
  }
  uint8_t* list = slab.freelist();
  for (uint32_t i = 0; i < cache.num; ++i) {
    list[i] = static_cast<uint8_t>(i);
  }
}

// --- freeing ---

Slab SlabAllocator::slab_of(const void* object) const {
  const Pfn pfn = direct_map_.pfn_of(object);
  const Page& page = mem_map_[pfn];
  FL_CHECK(page.has(PageFlag::kSlab), "{:#010x} is not in a slab (page flags {:#x})",
           direct_map_.address_of(object).value(), page.flags);
  return slab_at(mem_map_.compound_head(pfn));
}

void SlabAllocator::kmem_cache_free(KmemCache& cache, void* object) {
  std::byte* const slot = static_cast<std::byte*>(object) - cache.obj_offset;
  if (cache.debugged()) [[unlikely]] {
    const Slab slab = slab_of(object);
    FL_CHECK(&slab.cache() == &cache, "object {:#010x} of cache '{}' freed to cache '{}'",
             direct_map_.address_of(object).value(), slab.cache().name(), cache.name());
    FL_CHECK(slot >= slab.s_mem() && slab.slot(cache, slab.index_of(cache, slot)) == slot,
             "{:#010x} is not an object of cache '{}'", direct_map_.address_of(object).value(), cache.name());
    SlabDebugger(direct_map_, cache).on_free(slot);
  }
  ArrayCache& array = *cache.cpu_cache;
  if (array.avail >= array.limit) [[unlikely]] {
    cache_flusharray(cache);
  }
  array.touched = 1;
  array.entries()[array.avail++] = direct_map_.address_of(slot).value();
}

// The objects that wait longest go back to their slabs.
void SlabAllocator::cache_flusharray(KmemCache& cache) {
  ArrayCache& array = *cache.cpu_cache;
  const uint32_t count = std::min(array.batchcount, array.avail);
  free_block(cache, array.entries(), count);
  array.avail -= count;
  std::memmove(array.entries(), array.entries() + count, array.avail * sizeof(uint32_t));
}

void SlabAllocator::free_block(KmemCache& cache, const uint32_t* objects, uint32_t count) {
  KmemCacheNode& node = cache.node;
  for (uint32_t i = 0; i < count; ++i) {
    std::byte* const slot = direct_map_.pointer<std::byte>(VirtAddr(objects[i]));
    Slab slab = slab_of(slot);
    const uint32_t active = slab.active();
    FL_CHECK(active != 0, "cache '{}' has an object freed twice: {:#010x}", cache.name(), objects[i]);
    slab_list_remove(mem_map_, active == cache.num ? node.full : node.partial, slab.pfn());
    if (slab.freelist() == nullptr) {
      slab.set_freelist(slot + cache.obj_offset);  // this object will be the last one to go
    }
    slab.freelist()[active - 1] = static_cast<uint8_t>(slab.index_of(cache, slot));
    slab.set_active(active - 1);
    ++node.free_objects;
    if (active == 1) {
      slab_list_push_front(mem_map_, node.free, slab.pfn());
    } else {
      slab_list_push_back(mem_map_, node.partial, slab.pfn());
    }
  }
  while (node.free_objects > node.free_limit && node.free.count != 0) {
    const Slab slab = slab_at(Pfn(node.free.tail));
    slab_list_remove(mem_map_, node.free, slab.pfn());
    node.free_objects -= cache.num;
    slab_destroy(cache, slab);
  }
}

// Gives back the pages of a slab that is on no list.
void SlabAllocator::slab_destroy(KmemCache& cache, Slab slab) {
  uint8_t* const list = cache.off_slab() ? slab.freelist() : nullptr;
  for (uint32_t i = 0; i < 1u << cache.gfporder; ++i) {
    Page& page = mem_map_[slab.pfn() + i];
    page.clear(PageFlag::kSlab);
    page.set(PageFlag::kKernel);
  }
  slab.page().mapping = 0;
  slab.page().index = 0;
  slab.page().private_ = 0;
  account_pages(cache, slab.page(), -(1 << cache.gfporder));
  pages_.free_pages(slab.pfn(), cache.gfporder);
  if (list != nullptr) {
    kmem_cache_free(*cache.freelist_cache, list);
  }
}

void SlabAllocator::account_pages(const KmemCache& cache, const Page& page, int32_t pages) {
  const bool reclaimable = cache.flags.has(kSlabReclaimAccount);
  (reclaimable ? reclaimable_pages_ : unreclaimable_pages_) += static_cast<uint32_t>(pages);
  pages_.count(page, reclaimable ? NodeStat::kNrSlabReclaimable : NodeStat::kNrSlabUnreclaimable, pages);
}

// --- kmalloc ---

KmemCache* SlabAllocator::kmalloc_slab(size_t size, Gfp gfp) const {
  if (size == 0 || size > kKmallocMaxCacheSize) {
    return nullptr;
  }
  const auto& caches = kmalloc_caches_[gfp.has(kGfpDma) ? kKmallocDma : kKmallocNormal];
  // 32 64 96 128 192, then powers of two.
  const uint32_t index = size <= 32    ? 0
                         : size <= 64  ? 1
                         : size <= 96  ? 2
                         : size <= 128 ? 3
                         : size <= 192 ? 4
                                       : static_cast<uint32_t>(std::bit_width(size - 1)) - 3;
  return caches[index];
}

void* SlabAllocator::kmalloc(size_t size, Gfp gfp) {
  if (size > kKmallocMaxCacheSize) {
    return large_kmalloc(size, gfp);
  }
  KmemCache* cache = kmalloc_slab(size, gfp);
  return cache == nullptr ? nullptr : kmem_cache_alloc(*cache, gfp);
}

void* SlabAllocator::large_kmalloc(size_t size, Gfp gfp) {
  if (size > size_t{kPageSize} << kKmallocMaxOrder) {
    return nullptr;
  }
  const uint32_t order = static_cast<uint32_t>(std::bit_width(pages_for(size) - 1));
  const Result<Pfn> first = pages_.alloc_pages(gfp.without(kGfpHighmem | kGfpMovable) | kGfpComp, order);
  if (!first) {
    return nullptr;
  }
  large_pages_ += 1u << order;
  pages_.count(mem_map_[*first], NodeStat::kNrSlabUnreclaimable, 1 << order);
  return direct_map_.frame(*first);
}

void SlabAllocator::kfree(void* object) {
  if (object == nullptr) {
    return;
  }
  const Pfn pfn = direct_map_.pfn_of(object);
  const Page& page = mem_map_[pfn];
  if (page.has(PageFlag::kSlab)) {
    kmem_cache_free(slab_of(object).cache(), object);
    return;
  }
  FL_CHECK(page.has(PageFlag::kKernel) && page.refcount == 1 && direct_map_.frame(pfn) == object,
           "kfree of {:#010x}, which kmalloc did not give (page flags {:#x})", direct_map_.address_of(object).value(),
           page.flags);
  const uint32_t order = mem_map_.compound_order(pfn);
  large_pages_ -= 1u << order;
  pages_.count(page, NodeStat::kNrSlabUnreclaimable, -(1 << order));
  pages_.free_pages(pfn, order);
}

size_t SlabAllocator::ksize(const void* object) const {
  const Pfn pfn = direct_map_.pfn_of(object);
  return mem_map_[pfn].has(PageFlag::kSlab) ? slab_of(object).cache().object_size
                                            : size_t{kPageSize} << mem_map_.compound_order(pfn);
}

}  // namespace fl::vm
