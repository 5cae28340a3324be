// The list of cached pages that may be dropped, and dropping the oldest.
#include "vm/cache/page_cache.hpp"

#include "mmu/base/check.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"

namespace fl::vm {

PageCache::PageCache(MemorySystem& memory) : memory_(memory), mem_map_(memory.mem_map()) {}

Mapping& PageCache::mapping_of(const Page& page) const {
  FL_CHECK(page.has(PageFlag::kCache), "flags {:#x}", page.flags);
  return *memory_.kernel_pointer<Mapping>(VirtAddr(page.mapping));
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

void PageCache::add(Pfn pfn, Mapping& mapping, uint32_t index) {
  Page& page = mem_map_[pfn];
  page.become(PageFlag::kCache);
  page.mapping = memory_.kernel_address(&mapping).value();
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
  page.mapping = 0;
  --cached_;
  memory_.pages().free_pages(pfn);
}

void PageCache::replace(Pfn from, Pfn to) {
  Page& old_page = mem_map_[from];
  Page& new_page = mem_map_[to];
  mapping_of(old_page).tree().replace(old_page.index, to);
  new_page.become(old_page.flags & ~kPlaceBits);
  new_page.mapping = old_page.mapping;
  new_page.index = old_page.index;
  new_page.refcount = old_page.refcount;
  new_page.mapcount = old_page.mapcount;
  if (new_page.has(PageFlag::kInactive)) {
    new_page.lru_next = old_page.lru_next;
    new_page.lru_prev = old_page.lru_prev;
    (new_page.lru_prev == kNoPage ? head_ : mem_map_[Pfn(new_page.lru_prev)].lru_next) = to.value();
    (new_page.lru_next == kNoPage ? tail_ : mem_map_[Pfn(new_page.lru_next)].lru_prev) = to.value();
  }
  old_page.become(PageFlag::kKernel);
  old_page.mapping = old_page.index = 0;
  old_page.mapcount = 0;
  old_page.refcount = 1;
}

bool PageCache::reclaim() {
  // A page that cannot be written back stays; it goes to the end of the list, and each is tried once.
  for (uint32_t tries = inactive_; tries > 0; --tries) {
    const Pfn pfn(head_);
    Page& page = mem_map_[pfn];
    if (mapping_of(page).drop(page.index)) {
      return true;
    }
    unlink(page);
    update_inactive(pfn);
  }
  return false;
}

}  // namespace fl::vm
