// The list of cached pages that may be dropped, and dropping the oldest.
#include "vm/cache/page_cache.hpp"

#include "mmu/base/check.hpp"
#include "vm/cache/mapping.hpp"

namespace fl::vm {

uint32_t PageCache::register_mapping(Mapping* mapping) {
  if (!free_ids_.empty()) {
    const uint32_t id = free_ids_.back();
    free_ids_.pop_back();
    mappings_[id] = mapping;
    return id;
  }
  mappings_.push_back(mapping);
  return static_cast<uint32_t>(mappings_.size() - 1);
}

void PageCache::unregister_mapping(uint32_t id) {
  mappings_[id] = nullptr;
  free_ids_.push_back(id);
}

void PageCache::update_inactive(Pfn pfn) {
  Page& page = mem_map_[pfn];
  FL_CHECK(page.has(PageFlag::kCache), "frame {:#x} is not in the page cache", pfn.value());
  const bool droppable = page.mapcount == 0 && page.refcount == 1 && !page.has(PageFlag::kShmem);
  if (droppable == page.has(PageFlag::kInactive)) {
    return;
  }
  if (!droppable) {
    unlink(page);
    return;
  }
  page.set(PageFlag::kInactive);
  page.lru_next = kNoPage;
  page.lru_prev = tail_;
  if (tail_ != kNoPage) {
    mem_map_[Pfn(tail_)].lru_next = pfn.value();
  } else {
    head_ = pfn.value();
  }
  tail_ = pfn.value();
  ++inactive_;
}

void PageCache::unlink(Page& page) {
  if (page.lru_prev != kNoPage) {
    mem_map_[Pfn(page.lru_prev)].lru_next = page.lru_next;
  } else {
    head_ = page.lru_next;
  }
  if (page.lru_next != kNoPage) {
    mem_map_[Pfn(page.lru_next)].lru_prev = page.lru_prev;
  } else {
    tail_ = page.lru_prev;
  }
  page.clear(PageFlag::kInactive);
  --inactive_;
}

void PageCache::add(Pfn pfn, uint32_t mapping_id, uint32_t index) {
  Page& page = mem_map_[pfn];
  page.become(PageFlag::kCache);
  page.mapping = mapping_id;
  page.index = index;
  ++cached_;
}

void PageCache::remove(Pfn pfn) {
  Page& page = mem_map_[pfn];
  FL_CHECK(page.mapcount == 0 && page.refcount == 1, "cached frame {:#x} removed with {} maps, {} references",
           pfn.value(), page.mapcount, page.refcount);
  if (page.has(PageFlag::kInactive)) {
    unlink(page);
  }
  page.clear(PageFlag::kCache | PageFlag::kShmem | PageFlag::kDirty);
  --cached_;
  pages_.free_pages(pfn);
}

bool PageCache::reclaim() {
  // A page that cannot be written back stays; it goes to the end of the list, and each is tried once.
  for (uint32_t tries = inactive_; tries > 0; --tries) {
    const Pfn pfn(head_);
    Page& page = mem_map_[pfn];
    if (mappings_[page.mapping]->drop(page.index)) {
      return true;
    }
    unlink(page);
    update_inactive(pfn);
  }
  return false;
}

}  // namespace fl::vm
