// Copy, entries, struct page, page cache, flush, free.
#include "vm/compact/migrate.hpp"

#include "mmu/base/check.hpp"
#include "vm/memory_system.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/rmap.hpp"
#include "vm/rmap_walk.hpp"
#include "vm/swap/swap_cache.hpp"

namespace fl::vm {

bool is_movable(MemorySystem& memory, Pfn pfn) {
  const Page& page = memory.page(pfn);
  return page.has(PageFlag::kAnon | PageFlag::kCache | PageFlag::kSwapCache) && page.has(PageFlag::kLru) &&
         !page.has(PageFlag::kWriteback) && !has_other_users(page);
}

void migrate_page(MemorySystem& memory, Pfn from, Pfn to) {
  FL_CHECK(is_movable(memory, from), "frame {:#x} is to move", from.value());
  copy_highpage(memory.kmap_slots(), to, from);

  int32_t entries = 0;
  bool in_tlb = false;
  MemoryProbe* const probe = memory.probe(MemoryProbe::kMappings);
  rmap_walk(memory, from, [&](VmArea& area, VirtAddr va, mmu::Pte& pte) {
    in_tlb |= pte.accessed();
    pte = mmu::Pte(to, pte.raw() & kPageOffsetMask);
    if (probe != nullptr) [[unlikely]] {
      probe->on_mapping(area, va, from, /*mapped=*/false);
      probe->on_mapping(area, va, to, /*mapped=*/true);
    }
    ++entries;
    return true;
  });
  Page& old_page = memory.page(from);
  FL_CHECK(entries == old_page.mapcount, "frame {:#x}: rmap found {} entries of {}", from.value(), entries,
           old_page.mapcount);
  if (in_tlb) {
    memory.tlb().flush();
  }

  Page& new_page = memory.page(to);
  new_page.become(old_page.flags & ~kPlaceBits);  // the charge, too
  new_page.mapping = old_page.mapping;
  new_page.index = old_page.index;
  new_page.mapcount = old_page.mapcount;
  new_page.refcount = old_page.refcount;
  if (old_page.has(PageFlag::kCache)) {
    memory.cache().replace(from, to);
  }
  if (old_page.has(PageFlag::kSwapCache)) {
    memory.swap_cache().replace(from, to);
  }
  memory.lru().replace(from, to);
  old_page.clear(PageFlag::kCharged);
  old_page.become(PageFlag::kKernel);
  old_page.mapping = old_page.index = old_page.private_ = 0;
  old_page.mapcount = 0;
  old_page.refcount = 1;
  memory.pages().free_pages(from);
}

}  // namespace fl::vm
