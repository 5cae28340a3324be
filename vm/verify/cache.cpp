// Invariant 10: the page cache and struct page agree. Invariant 11: the inactive list has exactly the droppable pages.
#include <map>

#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/verify/checks.hpp"

namespace fl::vm {
namespace {

class CacheCheck {
 public:
  CacheCheck(MemorySystem& memory, Violations& out) : cache_(memory.cache()), map_(memory.mem_map()), out_(out) {
    for (const Mapping& mapping : cache_.mappings()) {
      counts_[memory.kernel_address(&mapping).value()] = {&mapping};
    }
  }

  void run() {
    walk_inactive();
    uint32_t cached = 0;
    for (uint32_t frame = 0; frame < map_.size() && !out_.full(); ++frame) {
      const Page& page = map_[Pfn(frame)];
      if (page.has(PageFlag::kCache)) {
        ++cached;
        check_page(frame, page);
      } else if (page.has(PageFlag::kShmem | PageFlag::kDirty | PageFlag::kInactive)) {
        out_.add(Invariant::kPageCache, "frame {:#x} has flags {:#x} outside the page cache", frame, page.flags);
      }
    }
    if (cached != cache_.cached_pages()) {
      out_.add(Invariant::kPageCache, "{} frames are cached, the counter says {}", cached, cache_.cached_pages());
    }
    for (const auto& [address, count] : counts_) {
      const Mapping& mapping = *count.mapping;
      if (mapping.cached_pages() != count.pages || mapping.dirty_pages() != count.dirty) {
        out_.add(Invariant::kPageCache, "mapping {:#x} counts {} pages and {} dirty ones, frames say {} and {}",
                 address, mapping.cached_pages(), mapping.dirty_pages(), count.pages, count.dirty);
      }
    }
  }

 private:
  void walk_inactive() {
    uint32_t count = 0;
    uint32_t previous = kNoPage;
    for (uint32_t frame = cache_.oldest_inactive(); frame != kNoPage; frame = map_[Pfn(frame)].lru_next) {
      if (frame >= map_.size() || listed_[frame]) {
        out_.add(Invariant::kInactiveList, "the list runs to frame {:#x}: outside RAM or in a circle", frame);
        return;
      }
      listed_[frame] = true;
      ++count;
      if (map_[Pfn(frame)].lru_prev != previous) {
        out_.add(Invariant::kInactiveList, "frame {:#x} points back to {:#x}, not to {:#x}", frame,
                 map_[Pfn(frame)].lru_prev, previous);
      }
      previous = frame;
    }
    if (count != cache_.inactive_pages()) {
      out_.add(Invariant::kInactiveList, "{} frames are on the list, the counter says {}", count,
               cache_.inactive_pages());
    }
  }

  void check_page(uint32_t frame, const Page& page) {
    const auto count = counts_.find(page.mapping);
    const Mapping* mapping = count != counts_.end() ? count->second.mapping : nullptr;
    if (mapping == nullptr || mapping->find(page.index) != frame) {
      out_.add(Invariant::kPageCache, "frame {:#x} calls itself page {} of mapping {:#x}, which does not know it",
               frame, page.index, page.mapping);
      return;
    }
    ++count->second.pages;
    count->second.dirty += page.has(PageFlag::kDirty) ? 1 : 0;
    if (page.has(PageFlag::kShmem) != mapping->is_shmem() ||
        page.has(PageFlag::kDirty) != mapping->is_dirty(page.index)) {
      out_.add(Invariant::kPageCache, "frame {:#x}: flags {:#x} disagree with its mapping", frame, page.flags);
    }
    const bool droppable = page.mapcount == 0 && page.refcount == 1 && !mapping->is_shmem();
    if (droppable != listed_[frame] || droppable != page.has(PageFlag::kInactive)) {
      out_.add(Invariant::kInactiveList, "frame {:#x} {} be dropped, but is {} the list (flags {:#x})", frame,
               droppable ? "can" : "cannot", listed_[frame] ? "on" : "not on", page.flags);
    }
  }

  const PageCache& cache_;
  const MemMap& map_;
  Violations& out_;
  struct Count {
    const Mapping* mapping = nullptr;
    uint32_t pages = 0;
    uint32_t dirty = 0;
  };
  std::map<uint32_t, Count> counts_;  // by kernel address
  std::vector<bool> listed_ = std::vector<bool>(map_.size());
};

}  // namespace

void check_cache(MemorySystem& memory, Violations& out) { CacheCheck(memory, out).run(); }

}  // namespace fl::vm
