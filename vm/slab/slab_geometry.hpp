// How a cache's slabs are divided: the order of a slab, the objects in it, where the free list goes and how many
// colours are left. Pure arithmetic. Linux counterparts: calculate_alignment (mm/slab_common.c), cache_estimate,
// calculate_slab_order, set_objfreelist_slab_cache, set_off_slab_cache, set_on_slab_cache (mm/slab.c).
#pragma once

#include <cstdint>

#include "vm/slab/kmem_cache.hpp"

namespace fl::vm {

inline constexpr uint32_t kCacheLine = 64;       // of the simulated processor
inline constexpr uint32_t kSlabMinAlign = 8;     // a host pointer. Linux: ARCH_SLAB_MINALIGN
inline constexpr uint32_t kSlabObjMinSize = 16;  // Linux: SLAB_OBJ_MIN_SIZE
// Entries of a free list are bytes. Linux: FREELIST_BYTE_INDEX, SLAB_OBJ_MAX_NUM.
inline constexpr uint32_t kSlabObjMaxNum = 255;
inline constexpr uint32_t kKmallocMaxOrder = 10;
inline constexpr uint32_t kKmallocMinSize = 32;
inline constexpr uint32_t kKmallocMaxCacheSize = 2 * kPageSize;

constexpr uint32_t align_up(uint32_t value, uint32_t align) { return (value + align - 1) / align * align; }

// Linux: calculate_alignment.
uint32_t calculate_alignment(SlabFlags flags, uint32_t align, uint32_t size);

struct SlabEstimate {
  uint32_t num = 0;
  uint32_t left_over = 0;
};
// Linux: cache_estimate.
SlabEstimate cache_estimate(uint32_t gfporder, uint32_t buffer_size, SlabFlags flags);

// What the geometry depends on besides the cache: the largest order that is taken to waste less, and which kmalloc
// cache would hold a free list of so many bytes (null: none yet).
struct SlabGeometryRules {
  uint32_t max_order = 0;  // Linux: slab_max_order
  KmemCache* (*kmalloc_slab)(const void* context, uint32_t bytes) = nullptr;
  const void* context = nullptr;
};

enum class FitsSlab : uint8_t { kNo, kYes };
// Fills in everything about the slabs of a cache whose object_size, align, flags and ctor are set. kNo: not even the
// largest slab holds one object.
FitsSlab set_slab_geometry(KmemCache& cache, const SlabGeometryRules& rules);

// How many objects the array in front of the slabs holds. Linux: enable_cpucache.
uint32_t array_cache_limit(const KmemCache& cache);

}  // namespace fl::vm
