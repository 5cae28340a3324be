// Dividing a slab.
#include "vm/slab/slab_geometry.hpp"

#include <algorithm>

namespace fl::vm {
namespace {

constexpr uint32_t kDebugLimit = 32;  // more in the array would hide errors from the checks of slabs
constexpr uint32_t kFreelistEntry = 1;

// Chooses order and number; the bytes left over in a slab, or kNoFit.
constexpr uint32_t kNoFit = 0xffffffff;
uint32_t calculate_slab_order(KmemCache& cache, SlabFlags flags, const SlabGeometryRules& rules) {
  uint32_t left_over = kNoFit;
  cache.num = 0;
  for (uint32_t order = 0; order <= kKmallocMaxOrder; ++order) {
    const SlabEstimate estimate = cache_estimate(order, cache.size, flags);
    if (estimate.num == 0) {
      continue;
    }
    if (estimate.num > kSlabObjMaxNum) {
      break;
    }
    if (flags.has(kSlabOffSlab)) {
      const uint32_t list_bytes = estimate.num * kFreelistEntry;
      const KmemCache* list_cache = rules.kmalloc_slab(rules.context, list_bytes);
      // A list whose own slabs have lists off slab would go round for ever; one larger than half an object wastes.
      if (list_cache == nullptr || list_cache->off_slab() || list_cache->size > cache.size / 2) {
        continue;
      }
    }
    cache.num = estimate.num;
    cache.gfporder = order;
    left_over = estimate.left_over;
    // Reclaimable pages should be single ones. Else larger slabs are tried while an eighth or more is wasted.
    if (flags.has(kSlabReclaimAccount) || order >= rules.max_order || left_over * 8 <= kPageSize << order) {
      break;
    }
  }
  return left_over;
}

FitsSlab choose(KmemCache& cache, uint32_t left_over, SlabFlags kind) {
  cache.flags = cache.flags | kind;
  cache.colour = left_over / cache.colour_off;
  cache.freelist_size = cache.num * kFreelistEntry;
  return FitsSlab::kYes;
}

}  // namespace

uint32_t calculate_alignment(SlabFlags flags, uint32_t align, uint32_t size) {
  if (flags.has(kSlabHwcacheAlign)) {
    uint32_t line = kCacheLine;
    while (size <= line / 2) {
      line /= 2;
    }
    align = std::max(align, line);
  }
  return align_up(std::max(align, kSlabMinAlign), kSlabMinAlign);
}

SlabEstimate cache_estimate(uint32_t gfporder, uint32_t buffer_size, SlabFlags flags) {
  const uint32_t slab_bytes = kPageSize << gfporder;
  const uint32_t each = buffer_size + (flags.has(kSlabObjFreelist | kSlabOffSlab) ? 0 : kFreelistEntry);
  return {slab_bytes / each, slab_bytes % each};
}

FitsSlab set_slab_geometry(KmemCache& cache, const SlabGeometryRules& rules) {
  uint32_t size = align_up(cache.object_size, kSlabMinAlign);
  if (cache.flags.has(kSlabRedZone)) {
    cache.obj_offset = std::max<uint32_t>(cache.align, sizeof(uint64_t));
    size += cache.obj_offset + uint32_t{sizeof(uint64_t)};
  }
  if (cache.flags.has(kSlabStoreUser)) {
    size += uint32_t{sizeof(uint64_t)};
  }
  cache.size = align_up(std::max(size, kSlabObjMinSize), cache.align);
  cache.colour_off = std::max(kCacheLine, cache.align);
  cache.reciprocal_size = static_cast<uint32_t>(((uint64_t{1} << 32) + cache.size - 1) / cache.size);

  // A list inside a free object must not disturb what the object keeps while it is free.
  if (cache.ctor == nullptr && !cache.flags.has(kSlabTypesafe | kSlabPoison)) {
    const uint32_t left_over = calculate_slab_order(cache, cache.flags | kSlabObjFreelist, rules);
    if (left_over != kNoFit && cache.num * kFreelistEntry <= cache.object_size) {
      return choose(cache, left_over, kSlabObjFreelist);
    }
  }
  {
    const uint32_t left_over = calculate_slab_order(cache, cache.flags | kSlabOffSlab, rules);
    // What is left over holds the list as well.
    if (left_over != kNoFit && left_over < cache.num * kFreelistEntry) {
      return choose(cache, left_over, kSlabOffSlab);
    }
  }
  const uint32_t left_over = calculate_slab_order(cache, cache.flags, rules);
  return left_over == kNoFit ? FitsSlab::kNo : choose(cache, left_over, {});
}

uint32_t array_cache_limit(const KmemCache& cache) {
  const uint32_t limit = cache.size > 131072      ? 1
                         : cache.size > kPageSize ? 8
                         : cache.size > 1024      ? 24
                         : cache.size > 256       ? 54
                                                  : 120;
  return cache.debugged() ? std::min(limit, kDebugLimit) : limit;
}

}  // namespace fl::vm
