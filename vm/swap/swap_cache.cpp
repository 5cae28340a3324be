// Entering, leaving, and freeing what nobody needs.
#include "vm/swap/swap_cache.hpp"

#include <array>

#include "mmu/base/check.hpp"
#include "vm/memory_system.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {

PageTree& SwapCache::tree(uint32_t type) {
  if (trees_[type] == nullptr) {
    trees_[type] = std::make_unique<PageTree>(memory_);
  }
  return *trees_[type];
}

SwapEntry SwapCache::entry_of(const Page& page) {
  FL_CHECK(page.has(PageFlag::kSwapCache), "flags {:#x}", page.flags);
  return SwapEntry::from_raw(page.private_);
}

uint32_t SwapCache::find(SwapEntry entry) const {
  const PageTree* const pages = tree_if(entry.type);
  return pages != nullptr ? pages->find(entry.offset) : kNoPage;
}

std::optional<uint32_t> SwapCache::shadow(SwapEntry entry) const {
  const PageTree* const pages = tree_if(entry.type);
  return pages != nullptr ? pages->find_value(entry.offset) : std::nullopt;
}

uint32_t SwapCache::pages() const {
  uint32_t sum = 0;
  for (const auto& pages : trees_) {
    sum += pages != nullptr ? pages->size() : 0;
  }
  return sum;
}

Status SwapCache::enter(Pfn pfn, SwapEntry entry) {
  if (const auto inserted = tree(entry.type).insert(entry.offset, pfn); !inserted) {
    memory_.swap().swapcache_free(entry);
    return fail(inserted.error());
  }
  Page& page = memory_.page(pfn);
  page.set(PageFlag::kSwapCache);
  page.private_ = entry.raw();
  ++page.refcount;
  memory_.pages().count(page, NodeStat::kNrSwapcached, 1);
  return {};
}

Status SwapCache::add(Pfn pfn, SwapEntry entry) {
  FL_TRY(memory_.swap().swapcache_prepare(entry));
  return enter(pfn, entry);
}

bool SwapCache::add_to_swap(Pfn pfn) {
  const auto entry = memory_.swap().get_swap_page();
  if (!entry || !enter(pfn, *entry)) {
    return false;
  }
  memory_.page(pfn).set(PageFlag::kDirty);
  return true;
}

void SwapCache::remove(Pfn pfn, std::optional<uint32_t> shadow) {
  Page& page = memory_.page(pfn);
  const SwapEntry entry = entry_of(page);
  if (shadow) {
    tree(entry.type).erase(entry.offset, *shadow);
  } else {
    tree(entry.type).erase(entry.offset);
  }
  memory_.pages().count(page, NodeStat::kNrSwapcached, -1);
  page.clear(PageFlag::kSwapCache | PageFlag::kWriteback);
  page.private_ = 0;
  memory_.swap().swapcache_free(entry);
}

bool SwapCache::try_to_free_swap(Pfn pfn) {
  Page& page = memory_.page(pfn);
  memory_.reclaim().pageout().end_writeback();
  if (!page.has(PageFlag::kSwapCache) || page.has(PageFlag::kWriteback) ||
      memory_.swap().swap_count(entry_of(page)) != 0) {
    return false;
  }
  remove(pfn);
  page.set(PageFlag::kDirty);
  FL_CHECK(page.refcount > 1, "frame {:#x} has no user but the swap cache", pfn.value());
  --page.refcount;
  if (page.mapcount == 0) {
    page.set(PageFlag::kAnon);  // somebody holds it, and it was given up by all others
  }
  return true;
}

void SwapCache::free_unused(Pfn pfn) {
  Page& page = memory_.page(pfn);
  if (page.mapcount != 0 || page.refcount != 1 || memory_.swap().swap_count(entry_of(page)) != 0) {
    return;
  }
  memory_.lru().remove(pfn);
  remove(pfn);
  memory_.pages().free_pages(pfn);
}

bool SwapCache::try_to_reclaim_swap(SwapEntry entry, SwapReclaim when) {
  const uint32_t frame = find(entry);
  if (frame == kNoPage) {
    return false;  // on its way in: who reads it sees that nobody wants it any more
  }
  const Pfn pfn(frame);
  Page& page = memory_.page(pfn);
  if (when == SwapReclaim::kUnmappedOrFull && page.mapcount != 0 && !memory_.swap().vm_swap_full()) {
    return false;
  }
  if (page.refcount > 1) {
    return try_to_free_swap(pfn);
  }
  free_unused(pfn);
  return true;
}

void SwapCache::clear_shadow(SwapEntry entry) {
  if (shadow(entry)) {
    tree(entry.type).erase_value(entry.offset);
  }
}

void SwapCache::exit_swap_address_space(uint32_t type) { trees_[type].reset(); }

void SwapCache::replace(Pfn from, Pfn to) {
  Page& old_page = memory_.page(from);
  const SwapEntry entry = entry_of(old_page);
  tree(entry.type).replace(entry.offset, to);
  memory_.page(to).private_ = old_page.private_;
  memory_.pages().count(old_page, NodeStat::kNrSwapcached, -1);
  memory_.pages().count(memory_.page(to), NodeStat::kNrSwapcached, 1);
}

Status SwapCache::write_page(Pfn pfn) {
  const SwapEntry entry = entry_of(memory_.page(pfn));
  const Status done = memory_.swap().write_page(entry, KmapLocal(memory_.kmap_slots(), pfn).bytes());
  memory_.tell({.kind = MemoryEvent::Kind::kSwapOut,
                .failed = !done,
                .pfn = pfn,
                .swap_type = entry.type,
                .swap_offset = entry.offset});
  return done;
}

}  // namespace fl::vm
