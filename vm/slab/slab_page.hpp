// A slab's frames as struct page describes them, and the lists of slabs. Linux counterpart: struct slab (mm/slab.h),
// which lies over struct page too.
//
// The first page of a slab: mapping = address of its KmemCache, private_ = address of its free list (0: none while all
// objects are in use), index = objects in use and where the first object stands, lru = list of slabs. A slab of more
// than one page is a compound page.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "vm/kernel_space/direct_map.hpp"
#include "vm/phys/mem_map.hpp"
#include "vm/slab/kmem_cache.hpp"

namespace fl::vm {

class Slab {
 public:
  Slab(const DirectMap& direct_map, MemMap& mem_map, Pfn first)
      : map_(direct_map), page_(mem_map[first]), pfn_(first) {}

  Pfn pfn() const { return pfn_; }
  Page& page() const { return page_; }
  KmemCache& cache() const { return *map_.pointer<KmemCache>(VirtAddr(page_.mapping)); }
  std::byte* base() const { return map_.frame(pfn_); }

  uint32_t active() const { return page_.index & 0xffff; }
  void set_active(uint32_t active) { page_.index = (page_.index & ~0xffffu) | active; }
  // The first object's place; the bytes before it are the slab's colour.
  uint32_t colour_bytes() const { return (page_.index >> 16) * kColourUnit; }
  void set_colour_bytes(uint32_t bytes) { page_.index = (bytes / kColourUnit) << 16 | active(); }
  std::byte* s_mem() const { return base() + colour_bytes(); }

  // Indices of the objects, those from active() on being free. Null while it would lie in a free object and none is.
  uint8_t* freelist() const { return page_.private_ == 0 ? nullptr : map_.pointer<uint8_t>(VirtAddr(page_.private_)); }
  void set_freelist(const void* list) { page_.private_ = list == nullptr ? 0 : map_.address_of(list).value(); }

  // The slot of object `index`; with debugging the object stands obj_offset inside.
  std::byte* slot(const KmemCache& cache, uint32_t index) const { return s_mem() + index * cache.size; }
  // Which object a slot is. Exact for the first byte of a slot.
  uint32_t index_of(const KmemCache& cache, const std::byte* slot) const {
    return static_cast<uint32_t>((static_cast<uint64_t>(slot - s_mem()) * cache.reciprocal_size) >> 32);
  }

 private:
  static constexpr uint32_t kColourUnit = 8;

  const DirectMap& map_;
  Page& page_;
  Pfn pfn_;
};

// Linux: list_add, list_add_tail, list_del of slab->slab_list.
void slab_list_push_front(MemMap& mem_map, SlabList& list, Pfn slab);
void slab_list_push_back(MemMap& mem_map, SlabList& list, Pfn slab);
void slab_list_remove(MemMap& mem_map, SlabList& list, Pfn slab);

}  // namespace fl::vm
