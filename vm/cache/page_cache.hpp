// PageCache: all mappings' pages together: which of them may be dropped, and dropping them.
//
// Until there is real reclaim, a cached page that is clean and that nobody maps stands on one list, oldest first, and the
// page allocator takes from its front when RAM is full. Linux counterpart: the file LRU, shrink_folio_list (much reduced).
#pragma once

#include <cstdint>
#include <vector>

#include "mmu/base/addr.hpp"
#include "vm/phys/page.hpp"
#include "vm/phys/page_allocator.hpp"

namespace fl::vm {

class Mapping;
class MemMap;

class PageCache : public Reclaimer {
 public:
  PageCache(MemMap& mem_map, PageAllocator& pages) : mem_map_(mem_map), pages_(pages) {}

  // --- Mapping's bookkeeping ---
  uint32_t register_mapping(Mapping* mapping);
  void unregister_mapping(uint32_t id);
  Mapping* mapping(uint32_t id) const { return mappings_[id]; }

  // A page entered or left the cache, or its users changed: puts it on or takes it off the list.
  void update_inactive(Pfn pfn);
  void remove(Pfn pfn);

  // Drops the oldest clean unmapped page.
  bool reclaim() override;

  uint32_t cached_pages() const { return cached_; }
  uint32_t inactive_pages() const { return inactive_; }

 private:
  friend class Mapping;
  void unlink(Page& page);

  MemMap& mem_map_;
  PageAllocator& pages_;
  std::vector<Mapping*> mappings_;
  std::vector<uint32_t> free_ids_;
  uint32_t head_ = kNoPage;
  uint32_t tail_ = kNoPage;
  uint32_t cached_ = 0;
  uint32_t inactive_ = 0;
};

}  // namespace fl::vm
