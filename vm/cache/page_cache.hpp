// PageCache: all mappings' pages together: which of them may be dropped, and dropping them.
//
// Until there is real reclaim, a cached page that nobody maps stands on one list, oldest first, and the
// page allocator takes from its front when RAM is full. Linux counterpart: the file LRU, shrink_folio_list (much
// reduced).
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

  // A frame with one reference, the cache's, becomes page `index` of a mapping.
  void add(Pfn pfn, uint32_t mapping_id, uint32_t index);
  // Takes an unmapped page out of the cache and frees it.
  void remove(Pfn pfn);
  // The users of a cached page changed: puts it on or takes it off the list of droppable pages.
  void update_inactive(Pfn pfn);

  // Drops the oldest unmapped page, after writing it back if it is dirty.
  bool reclaim() override;

  uint32_t cached_pages() const { return cached_; }
  uint32_t inactive_pages() const { return inactive_; }
  // Ids given out so far (mapping(id) is null for one that is free), and the oldest droppable page (kNoPage: none;
  // follow Page::lru_next). For verification.
  uint32_t mapping_ids() const { return static_cast<uint32_t>(mappings_.size()); }
  uint32_t oldest_inactive() const { return head_; }

 private:
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
