// Invariant 10: the page cache and struct page agree. Invariant 11: the inactive list has exactly the droppable pages.
#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/verify/checks.hpp"

namespace fl::vm {
namespace {

class CacheCheck {
 public:
  CacheCheck(MemorySystem& memory, Violations& out)
      : cache_(memory.cache()),
        map_(memory.mem_map()),
        out_(out),
        pages_(cache_.mapping_ids()),
        dirty_(cache_.mapping_ids()) {}

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
    for (uint32_t id = 0; id < cache_.mapping_ids(); ++id) {
      const Mapping* mapping = cache_.mapping(id);
      if (mapping != nullptr && (mapping->cached_pages() != pages_[id] || mapping->dirty_pages() != dirty_[id])) {
        out_.add(Invariant::kPageCache, "mapping {} counts {} pages and {} dirty ones, frames say {} and {}", id,
                 mapping->cached_pages(), mapping->dirty_pages(), pages_[id], dirty_[id]);
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
    const Mapping* mapping = page.mapping < cache_.mapping_ids() ? cache_.mapping(page.mapping) : nullptr;
    if (mapping == nullptr || mapping->find(page.index) != frame) {
      out_.add(Invariant::kPageCache, "frame {:#x} calls itself page {} of mapping {}, which does not know it", frame,
               page.index, page.mapping);
      return;
    }
    ++pages_[page.mapping];
    dirty_[page.mapping] += page.has(PageFlag::kDirty) ? 1 : 0;
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
  std::vector<uint32_t> pages_;
  std::vector<uint32_t> dirty_;
  std::vector<bool> listed_ = std::vector<bool>(map_.size());
};

}  // namespace

void check_cache(MemorySystem& memory, Violations& out) { CacheCheck(memory, out).run(); }

}  // namespace fl::vm
