// Pages entering and leaving mappings.
#include "vm/cache/page_cache.hpp"

#include "mmu/base/check.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/reclaim/lru.hpp"

namespace fl::vm {

PageCache::PageCache(MemorySystem& memory) : memory_(memory), mem_map_(memory.mem_map()) {}

Mapping& PageCache::mapping_of(const Page& page) const {
  FL_CHECK(page.has(PageFlag::kCache), "flags {:#x}", page.flags);
  return *memory_.kernel_pointer<Mapping>(VirtAddr(page.mapping));
}

void PageCache::add(Pfn pfn, Mapping& mapping, uint32_t index) {
  mem_map_[pfn].become(0);
  enter(pfn, mapping, index);
}

void PageCache::enter(Pfn pfn, Mapping& mapping, uint32_t index) {
  Page& page = mem_map_[pfn];
  page.set(PageFlag::kCache);
  page.mapping = memory_.kernel_address(&mapping).value();
  page.index = index;
  ++cached_;
}

void PageCache::leave(Pfn pfn) {
  Page& page = mem_map_[pfn];
  page.clear(PageFlag::kCache | PageFlag::kShmem);
  page.mapping = 0;
  page.index = 0;
  --cached_;
}

void PageCache::remove(Pfn pfn) {
  Page& page = mem_map_[pfn];
  FL_CHECK(page.mapcount == 0 && page.refcount >= 1, "cached frame {:#x} removed with {} maps, {} references",
           pfn.value(), page.mapcount, page.refcount);
  leave(pfn);
  if (page.refcount > 1) {
    page.set(PageFlag::kAnon);  // somebody holds it, and it is in no file any more
    --page.refcount;
    return;
  }
  memory_.lru().remove(pfn);
  memory_.pages().free_pages(pfn);
}

void PageCache::replace(Pfn from, Pfn to) {
  const Page& old_page = mem_map_[from];
  mapping_of(old_page).tree().replace(old_page.index, to);
}

uint64_t PageCache::most_shadows() const { return uint64_t{8} * memory_.pages().managed_frames(); }

void PageCache::prune_shadows() {
  if (shadows_ <= most_shadows()) {
    return;
  }
  for (Mapping& mapping : mappings_) {
    if (shadows_ <= most_shadows() / 2) {
      break;
    }
    mapping.forget_shadows();
  }
}

uint32_t PageCache::drop_pagecache() {
  uint32_t dropped = 0;
  readahead.cold = true;  // files that nobody has open lose their pages, too
  for (Mapping& mapping : mappings_) {
    if (!mapping.is_shmem()) {
      dropped += mapping.drop_unused(0, UINT64_MAX);
    }
  }
  return dropped;
}

}  // namespace fl::vm
