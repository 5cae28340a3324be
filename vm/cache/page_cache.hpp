// PageCache: the pages of all mappings together, and the list of the mappings. Which pages are dropped when decides
// vm/reclaim/. Linux counterparts: filemap_add_folio, filemap_remove_folio; fs/drop_caches.c.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "mmu/base/addr.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/cache/writeback.hpp"
#include "vm/phys/page.hpp"

namespace fl::vm {

class MemMap;
class MemorySystem;

class PageCache {
 public:
  explicit PageCache(MemorySystem& memory);

  // --- Mapping's bookkeeping ---
  void add_mapping(Mapping& mapping) { mappings_.push_back(mapping); }
  void remove_mapping(Mapping& mapping) { mappings_.erase(mappings_.iterator_to(mapping)); }
  // The mapping of a page of the cache.
  Mapping& mapping_of(const Page& page) const;

  // A frame with one reference, the cache's, becomes page `index` of a mapping.
  void add(Pfn pfn, Mapping& mapping, uint32_t index);
  // Takes an unmapped page out of the cache and frees it; if somebody holds it, he does when he lets it go.
  void remove(Pfn pfn);
  // The page goes from a mapping to the swap cache, or comes back; only its flags and its place change.
  void leave(Pfn pfn);
  void enter(Pfn pfn, Mapping& mapping, uint32_t index);
  // Another frame takes the page's place in its file. For migration.
  void replace(Pfn from, Pfn to);

  // Drops all clean pages that nobody uses, so that they must be read again; how many. Linux: drop_pagecache_sb.
  uint32_t drop_pagecache();

  // Shadows of evicted pages that the trees of files hold. When there are more than eight for each frame of the
  // machine, files forget theirs, the oldest mappings first, until half are left. Linux: scan_shadow_nodes.
  void count_shadows(int64_t change) { shadows_ = static_cast<uint64_t>(static_cast<int64_t>(shadows_) + change); }
  uint64_t shadows() const { return shadows_; }
  uint64_t most_shadows() const;
  void prune_shadows();

  // How files are read ahead, and how much of them may be dirty.
  Readahead readahead;
  DirtyLimits dirty_limits;
  // Dirty pages of all files.
  void count_dirty(int64_t change) { dirty_ = static_cast<uint64_t>(static_cast<int64_t>(dirty_) + change); }
  uint64_t dirty_pages() const { return dirty_; }

  uint32_t cached_pages() const { return cached_; }
  // All mappings, in the order they were made. For verification.
  using Mappings = boost::intrusive::list<
      Mapping, boost::intrusive::member_hook<Mapping, boost::intrusive::list_member_hook<>, &Mapping::cache_hook>>;
  const Mappings& mappings() const { return mappings_; }
  Mappings& mappings() { return mappings_; }

 private:
  MemorySystem& memory_;
  MemMap& mem_map_;
  Mappings mappings_;
  uint32_t cached_ = 0;
  uint64_t shadows_ = 0;
  uint64_t dirty_ = 0;
};

}  // namespace fl::vm
