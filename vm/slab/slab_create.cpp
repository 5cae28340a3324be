// Caches: the first ones at boot, each out of the one before, and those that others make.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <string>

#include "mmu/base/check.hpp"
#include "vm/slab/slab_allocator.hpp"

namespace fl::vm {
namespace {

constexpr uint32_t kKmallocSizes[] = {32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192};
constexpr uint32_t kMiB = 256;  // frames
// With more RAM than this a slab may have two pages if that wastes less. Linux: SLAB_MAX_ORDER_HI.
constexpr uint32_t kLargeSlabsAbove = 32 * kMiB;
// A machine smaller than Linux ever saw keeps fewer free objects at hand.
constexpr uint32_t kShortArraysBelow = 4 * kMiB;
constexpr uint32_t kShortArray = 8;

}  // namespace

SlabAllocator::SlabAllocator(const mmu::Ram& ram, MemMap& mem_map, PageAllocator& pages, SlabDebug debug)
    : direct_map_(ram),
      mem_map_(mem_map),
      pages_(pages),
      debug_(debug),
      slab_max_order_(ram.frames() > kLargeSlabsAbove ? 1 : 0),
      array_limit_(ram.frames() < kShortArraysBelow ? kShortArray : UINT32_MAX) {
  static_assert(std::size(kKmallocSizes) == kKmallocCaches);
  boot_kmem_cache();
  boot_kmalloc();
  arrays_ = true;
  for (KmemCache* cache = slab_caches_; cache != nullptr; cache = cache->next) {
    FL_CHECK(enable_cpucache(*cache), "no memory for the slab allocator");
  }
}

// The cache of caches is its own first object: made outside, it allocates the place that it then moves into.
void SlabAllocator::boot_kmem_cache() {
  KmemCache outside;
  FL_CHECK(fill_in(outside, "kmem_cache", sizeof(KmemCache), alignof(KmemCache), kSlabHwcacheAlign, nullptr) ==
           FitsSlab::kYes);
  outside.cpu_cache = &outside.boot.array;
  void* const place = kmem_cache_alloc(outside, kGfpKernel);
  FL_CHECK(place != nullptr, "no memory for the slab allocator");
  kmem_cache_ = new (place) KmemCache(outside);
  kmem_cache_->cpu_cache = &kmem_cache_->boot.array;
  slab_of(place).page().mapping = direct_map_.address_of(kmem_cache_).value();
  slab_caches_ = kmem_cache_;
}

void SlabAllocator::boot_kmalloc() {
  for (const KmallocType type : {kKmallocNormal, kKmallocDma}) {
    for (uint32_t i = 0; i < kKmallocCaches; ++i) {
      const uint32_t size = kKmallocSizes[i];
      const std::string name = fmt::format("{}kmalloc-{}", type == kKmallocDma ? "dma-" : "",
                                           size >= 1024 ? fmt::format("{}k", size / 1024) : fmt::to_string(size));
      // A power of two is aligned to itself, so that kmalloc(4096) is a page.
      KmemCache* const cache =
          kmem_cache_create(name, size, std::has_single_bit(size) ? size : 0,
                            type == kKmallocDma ? kSlabHwcacheAlign | kSlabCacheDma : kSlabHwcacheAlign, nullptr);
      FL_CHECK(cache != nullptr, "no memory for {}", name);
      kmalloc_caches_[type][i] = cache;
    }
  }
}

FitsSlab SlabAllocator::fill_in(KmemCache& cache, std::string_view name, uint32_t size, uint32_t align, SlabFlags flags,
                                KmemCache::Constructor ctor) const {
  FL_CHECK(name.size() < kSlabNameBytes && size != 0, "cache '{}' for {} bytes", name, size);
  name.copy(cache.name_text.data(), kSlabNameBytes - 1);
  cache.object_size = size;
  cache.flags = debug_ == SlabDebug::kOn ? flags | kSlabDebugFlags : flags;
  cache.align = calculate_alignment(flags, align, size);
  cache.ctor = ctor;
  cache.allocflags =
      (flags.has(kSlabCacheDma) ? kGfpDma : Gfp{}) | (flags.has(kSlabReclaimAccount) ? kGfpReclaimable : Gfp{});
  const SlabGeometryRules rules{.max_order = slab_max_order_,
                                .kmalloc_slab =
                                    [](const void* self, uint32_t bytes) {
                                      return static_cast<const SlabAllocator*>(self)->kmalloc_slab(bytes, kGfpKernel);
                                    },
                                .context = this};
  if (set_slab_geometry(cache, rules) == FitsSlab::kNo) {
    return FitsSlab::kNo;
  }
  if (cache.off_slab()) {
    cache.freelist_cache = kmalloc_slab(cache.freelist_size, kGfpKernel);
  }
  cache.node.free_limit = 2 * cache.batchcount + cache.num;
  return FitsSlab::kYes;
}

KmemCache* SlabAllocator::kmem_cache_create(std::string_view name, uint32_t size, uint32_t align, SlabFlags flags,
                                            KmemCache::Constructor ctor) {
  void* const place = kmem_cache_alloc(*kmem_cache_, kGfpKernel);
  if (place == nullptr) {
    return nullptr;
  }
  auto* const cache = new (place) KmemCache;
  cache->cpu_cache = &cache->boot.array;
  if (fill_in(*cache, name, size, align, flags, ctor) == FitsSlab::kNo || (arrays_ && !enable_cpucache(*cache))) {
    kmem_cache_free(*kmem_cache_, cache);
    return nullptr;
  }
  cache->next = slab_caches_;
  slab_caches_ = cache;
  return cache;
}

// Gives a cache its array; false: no memory.
bool SlabAllocator::enable_cpucache(KmemCache& cache) {
  const uint32_t limit = std::min(array_cache_limit(cache), array_limit_);
  auto* const array = static_cast<ArrayCache*>(kmalloc(ArrayCache::bytes(limit), kGfpKernel));
  if (array == nullptr) {
    return false;
  }
  *array = ArrayCache{.avail = 0, .limit = limit, .batchcount = (limit + 1) / 2, .touched = 0};
  use_array(cache, array);
  return true;
}

// What is in the old array goes to the slabs. Linux: do_tune_cpucache.
void SlabAllocator::use_array(KmemCache& cache, ArrayCache* array) {
  drain_array(cache, cache.cpu_cache->avail);
  cache.cpu_cache = array;
  cache.limit = array->limit;
  cache.batchcount = array->batchcount;
  cache.node.free_limit = 2 * array->batchcount + cache.num;
}

SlabAllocator::Destroyed SlabAllocator::kmem_cache_destroy(KmemCache* cache) {
  kmem_cache_shrink(*cache);
  if (cache->slabs() != 0) {
    return Destroyed::kStillHasObjects;
  }
  KmemCache** link = &slab_caches_;
  while (*link != cache) {
    link = &(*link)->next;
  }
  *link = cache->next;
  if (cache->cpu_cache != &cache->boot.array) {
    kfree(cache->cpu_cache);
  }
  kmem_cache_free(*kmem_cache_, cache);
  return Destroyed::kYes;
}

}  // namespace fl::vm
