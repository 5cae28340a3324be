// SlabAllocator::problems: walks every slab of every cache. Linux counterparts: check_slabp and verify_redzone of
// CONFIG_DEBUG_SLAB, leaks_show.
#include <fmt/format.h>

#include <string>
#include <unordered_set>
#include <vector>

#include "vm/slab/slab_allocator.hpp"
#include "vm/slab/slab_debug.hpp"

namespace fl::vm {
namespace {

enum class Fill : uint8_t { kFree, kPartial, kFull };

class CacheCheck {
 public:
  // The checks read only; the debugger, which also marks objects, wants a cache that it may write.
  CacheCheck(const DirectMap& direct_map, MemMap& mem_map, KmemCache& cache, std::vector<std::string>& out)
      : map_(direct_map), mem_map_(mem_map), cache_(cache), out_(out) {}

  void run() {
    ArrayCache& array = *cache_.cpu_cache;
    if (array.avail > array.limit) {
      add("holds {} objects in an array for {}", array.avail, array.limit);
      return;
    }
    for (uint32_t i = 0; i < array.avail; ++i) {
      if (!free_.insert(array.entries()[i]).second) {
        add("has object {:#010x} in its array twice", array.entries()[i]);
      }
    }
    uint32_t free_objects = 0;
    free_objects += check_list(cache_.node.free, Fill::kFree);
    free_objects += check_list(cache_.node.partial, Fill::kPartial);
    free_objects += check_list(cache_.node.full, Fill::kFull);
    if (free_objects != cache_.node.free_objects) {
      add("has {} free objects in slabs, counted as {}", free_objects, cache_.node.free_objects);
    }
    if (in_array_ != array.avail) {
      add("has {} objects in its array, {} of them in its slabs", array.avail, in_array_);
    }
  }

 private:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    out_.push_back(fmt::format("cache '{}' ", cache_.name()) + fmt::format(format, std::forward<Args>(args)...));
  }

  uint32_t check_list(const SlabList& list, Fill fill) {
    uint32_t slabs = 0;
    uint32_t free_objects = 0;
    for (uint32_t at = list.head; at != kNoPage; at = mem_map_[Pfn(at)].lru_next) {
      if (++slabs > list.count || !mem_map_[Pfn(at)].has(PageFlag::kSlab)) {
        add("has frame {:#x} on a list of slabs", at);
        return free_objects;
      }
      free_objects += check_slab(Slab(map_, mem_map_, Pfn(at)), fill);
    }
    if (slabs != list.count) {
      add("has {} slabs on a list, counted as {}", slabs, list.count);
    }
    return free_objects;
  }

  uint32_t check_slab(const Slab& slab, Fill fill) {
    const uint32_t active = slab.active();
    const uint32_t frame = slab.pfn().value();
    if (&slab.cache() != &cache_) {
      add("has slab {:#x} of another cache", frame);
      return 0;
    }
    const Fill is = active == 0 ? Fill::kFree : active == cache_.num ? Fill::kFull : Fill::kPartial;
    if (is != fill || active > cache_.num) {
      add("has slab {:#x} with {} of {} objects in use on the wrong list", frame, active, cache_.num);
      return 0;
    }
    std::vector<bool> is_free(cache_.num, false);
    for (uint32_t i = active; i < cache_.num; ++i) {
      const uint8_t index = slab.freelist()[i];
      if (index >= cache_.num || is_free[index]) {
        add("has slab {:#x} with object {} in its free list twice or out of range", frame, index);
        return 0;
      }
      is_free[index] = true;
    }
    for (uint32_t i = 0; i < cache_.num; ++i) {
      const std::byte* slot = slab.slot(cache_, i);
      const bool in_array = free_.contains(map_.address_of(slot).value());
      in_array_ += in_array ? 1 : 0;
      if (in_array && is_free[i]) {
        add("has object {} of slab {:#x} in its array and free in the slab", i, frame);
      }
      if (cache_.debugged()) {
        const SlotState state = in_array || is_free[i] ? SlotState::kFree : SlotState::kAllocated;
        const std::string wrong = SlabDebugger(map_, cache_).problem(slot, state);
        if (!wrong.empty()) {
          add("has object {:#010x}: {}", map_.address_of(slot + cache_.obj_offset).value(), wrong);
        }
      }
    }
    return cache_.num - active;
  }

  const DirectMap& map_;
  MemMap& mem_map_;
  KmemCache& cache_;
  std::vector<std::string>& out_;
  std::unordered_set<uint32_t> free_;  // addresses of the slots in the array
  uint32_t in_array_ = 0;
};

}  // namespace

std::vector<std::string> SlabAllocator::problems() const {
  std::vector<std::string> lines;
  uint32_t pages = 0;
  for (KmemCache* cache = slab_caches_; cache != nullptr; cache = cache->next) {
    CacheCheck(direct_map_, mem_map_, *cache, lines).run();
    pages += cache->slabs() << cache->gfporder;
  }
  if (pages != unreclaimable_pages_ + reclaimable_pages_) {
    lines.push_back(
        fmt::format("slabs have {} pages, counted as {} + {}", pages, unreclaimable_pages_, reclaimable_pages_));
  }
  return lines;
}

}  // namespace fl::vm
