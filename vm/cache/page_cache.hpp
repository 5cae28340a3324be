// PageCache: all mappings' pages together: which of them may be dropped, and dropping them.
//
// Until there is real reclaim, a cached page that nobody maps stands on one list, oldest first, and the
// page allocator takes from its front when RAM is full. Linux counterpart: the file LRU, shrink_folio_list (much
// reduced).
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "mmu/base/addr.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/phys/page.hpp"
#include "vm/phys/page_allocator.hpp"

namespace fl::vm {

class MemMap;
class MemorySystem;

class PageCache : public Reclaimer {
 public:
  explicit PageCache(MemorySystem& memory);

  // --- Mapping's bookkeeping ---
  void add_mapping(Mapping& mapping) { mappings_.push_back(mapping); }
  void remove_mapping(Mapping& mapping) { mappings_.erase(mappings_.iterator_to(mapping)); }
  // The mapping of a page of the cache.
  Mapping& mapping_of(const Page& page) const;

  // A frame with one reference, the cache's, becomes page `index` of a mapping.
  void add(Pfn pfn, Mapping& mapping, uint32_t index);
  // Takes an unmapped page out of the cache and frees it.
  void remove(Pfn pfn);
  // The page moves to another frame, fresh from the allocator, with its place in the file and on the list, its counts
  // and its flags; the old frame has one reference left and no use. For migration.
  void replace(Pfn from, Pfn to);
  // The users of a cached page changed: puts it on or takes it off the list of droppable pages.
  void update_inactive(Pfn pfn);

  // Drops the oldest unmapped page, after writing it back if it is dirty.
  bool reclaim() override;

  uint32_t cached_pages() const { return cached_; }
  uint32_t inactive_pages() const { return inactive_; }
  // All mappings, in the order they were made, and the oldest droppable page (kNoPage: none; follow Page::lru_next).
  // For verification.
  using Mappings = boost::intrusive::list<
      Mapping, boost::intrusive::member_hook<Mapping, boost::intrusive::list_member_hook<>, &Mapping::cache_hook>>;
  const Mappings& mappings() const { return mappings_; }
  uint32_t oldest_inactive() const { return head_; }

 private:
  void unlink(Page& page);

  MemorySystem& memory_;
  MemMap& mem_map_;
  Mappings mappings_;
  uint32_t head_ = kNoPage;
  uint32_t tail_ = kNoPage;
  uint32_t cached_ = 0;
  uint32_t inactive_ = 0;
};

}  // namespace fl::vm
