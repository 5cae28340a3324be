// The swap map: taking slots, counting their users, freeing them.
#include "vm/swap/swap_area.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace fl::vm {

void SwapArea::Deleter::operator()(SwapArea* area) const {
  area->~SwapArea();
  slab->kfree(area);
}

Result<SwapArea::Ptr> SwapArea::create(Vmalloc& vmalloc, SlabAllocator& slab, uint32_t type,
                                       std::shared_ptr<SwapStore> store, std::string_view name,
                                       const SwapLayout& layout, bool by_clusters) {
  FL_TRY_ASSIGN(VmallocArray<uint8_t> map, VmallocArray<uint8_t>::create(vmalloc, layout.max, "__do_sys_swapon"));
  std::optional<SwapClusters> clusters;
  if (by_clusters) {
    FL_TRY_ASSIGN(SwapClusters made, SwapClusters::create(vmalloc, layout.max, layout.bad));
    clusters.emplace(std::move(made));
  }
  void* const place = slab.kmalloc(sizeof(SwapArea), kGfpKernel);
  if (place == nullptr) {
    return fail(Errno::kENOMEM);
  }
  try {
    return Ptr(new (place) SwapArea(slab, std::move(map), std::move(clusters), type, std::move(store), name, layout),
               Deleter{&slab});
  } catch (const std::bad_alloc&) {  // the name
    slab.kfree(place);
    return fail(Errno::kENOMEM);
  }
}

SwapArea::SwapArea(SlabAllocator& slab, VmallocArray<uint8_t> map, std::optional<SwapClusters> clusters, uint32_t type,
                   std::shared_ptr<SwapStore> store, std::string_view name, const SwapLayout& layout)
    : map_(std::move(map)),
      clusters_(std::move(clusters)),
      notes_(slab),
      store_(std::move(store)),
      name_(name, SlabStlAllocator<char>(slab)),
      type_(type),
      max_(layout.max),
      pages_(layout.usable()),
      highest_bit_(layout.max - 1) {
  map_[0] = SwapMap::kBad;
  for (const uint32_t page : layout.bad) {
    map_[page] = SwapMap::kBad;
  }
}

// Every 256 slots: the first place with so many free ones in a row, from the start on, or else any free ones.
void SwapArea::choose_cluster() {
  if (cluster_nr_ != 0) {
    --cluster_nr_;
    return;
  }
  cluster_nr_ = kSwapfileCluster - 1;
  if (pages_ - inuse_pages_ < kSwapfileCluster) {
    return;
  }
  uint32_t free_in_row = 0;
  for (uint32_t offset = lowest_bit_; offset <= highest_bit_; ++offset) {
    free_in_row = map_[offset] == 0 ? free_in_row + 1 : 0;
    if (free_in_row == kSwapfileCluster) {
      cluster_next_ = offset - (kSwapfileCluster - 1);
      return;
    }
  }
  cluster_next_ = lowest_bit_;
}

void SwapArea::range_alloc(uint32_t offset) {
  if (clusters_) {
    clusters_->note_taken(offset);
  }
  if (offset == lowest_bit_) {
    ++lowest_bit_;
  }
  if (offset == highest_bit_) {
    --highest_bit_;
  }
  if (++inuse_pages_ == pages_) {
    lowest_bit_ = max_;
    highest_bit_ = 0;
  }
}

void SwapArea::range_free(uint32_t offset) {
  if (clusters_) {
    clusters_->note_free(offset);
  }
  lowest_bit_ = std::min(lowest_bit_, offset);
  highest_bit_ = std::max(highest_bit_, offset);
  --inuse_pages_;
}

// The byte of a slot in use is `byte` from now on.
uint8_t SwapArea::store_or_free(uint32_t offset, uint8_t byte) {
  map_[offset] = byte;
  if (byte != 0) {
    return byte;
  }
  if (notes_.failed(offset)) {
    map_[offset] = SwapMap::kBad;
    --inuse_pages_;
    --pages_;
  } else {
    range_free(offset);
  }
  notes_.forget(offset);
  return 0;
}

Status SwapArea::duplicate(uint32_t offset) {
  if (offset >= max_) {
    return fail(Errno::kEINVAL);
  }
  uint8_t& byte = map_[offset];
  if (!used(byte)) {
    return fail(Errno::kENOENT);
  }
  const uint8_t count = byte & SwapMap::kCountMask;
  if (count > SwapMap::kMax) {
    return fail(Errno::kEINVAL);
  }
  if (count < SwapMap::kMax) {
    ++byte;
    return {};
  }
  FL_TRY(notes_.raise(offset, kGfpAtomic));
  byte |= SwapMap::kCountContinued;
  return {};
}

void SwapArea::mark_shmem(uint32_t offset) {
  FL_CHECK(map(offset) == SwapMap::kHasCache, "swap slot {:#x} with {:#x} becomes one of shared memory", offset,
           map(offset));
  map_[offset] = SwapMap::kShmem | SwapMap::kHasCache;
}

Status SwapArea::set_cached(uint32_t offset) {
  if (offset >= max_) {
    return fail(Errno::kEINVAL);
  }
  uint8_t& byte = map_[offset];
  if (!used(byte)) {
    return fail(Errno::kENOENT);
  }
  if ((byte & SwapMap::kHasCache) != 0) {
    return fail(Errno::kEEXIST);
  }
  byte |= SwapMap::kHasCache;
  return {};
}

uint8_t SwapArea::release(uint32_t offset) {
  const uint8_t byte = map(offset);
  const uint8_t has_cache = byte & SwapMap::kHasCache;
  const uint8_t count = byte & ~SwapMap::kHasCache;
  FL_CHECK(used(byte) && count != 0, "swap slot {:#x} with {:#x} is freed once too often", offset, byte);
  if (count == SwapMap::kShmem) {
    return store_or_free(offset, has_cache);
  }
  if ((count & SwapMap::kCountContinued) != 0) {
    const bool goes_on = notes_.lower(offset) != 0;
    return store_or_free(offset, goes_on ? byte : byte & ~SwapMap::kCountContinued);
  }
  return store_or_free(offset, byte - 1);
}

uint8_t SwapArea::clear_cached(uint32_t offset) {
  FL_CHECK(has_cache(offset), "swap slot {:#x} with {:#x} is not in the swap cache", offset, map(offset));
  return store_or_free(offset, map(offset) & ~SwapMap::kHasCache);
}

Status SwapArea::add_count_continuation(uint32_t offset, Gfp gfp) {
  FL_CHECK(in_use(offset), "swap slot {:#x} is not in use", offset);
  return notes_.prepare(offset, gfp);
}

uint32_t SwapArea::count(uint32_t offset) const {
  const uint8_t count = map(offset) & ~SwapMap::kHasCache;
  if (count == SwapMap::kShmem) {
    return 1;
  }
  if (count == SwapMap::kBad) {
    return 0;
  }
  return uint32_t{static_cast<uint8_t>(count & SwapMap::kCountMask)} + notes_.excess(offset);
}

}  // namespace fl::vm
