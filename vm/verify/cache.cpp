// Invariant 10: the page cache and struct page agree.
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
    uint32_t cached = 0;
    for (uint32_t frame = 0; frame < map_.size() && !out_.full(); ++frame) {
      const Page& page = map_[Pfn(frame)];
      if (page.has(PageFlag::kCache)) {
        ++cached;
        check_page(frame, page);
      } else if (page.has(PageFlag::kShmem | (page.has(PageFlag::kSwapBacked) ? 0u : uint32_t{PageFlag::kDirty}))) {
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
};

}  // namespace

void check_cache(MemorySystem& memory, Violations& out) { CacheCheck(memory, out).run(); }

}  // namespace fl::vm
