// Copy, entries, struct page, page cache, flush, free.
#include "vm/compact/migrate.hpp"

#include "mmu/base/check.hpp"
#include "vm/memory_system.hpp"
#include "vm/rmap_walk.hpp"

namespace fl::vm {

bool is_movable(MemorySystem& memory, Pfn pfn) {
  const Page& page = memory.page(pfn);
  if (page.has(PageFlag::kAnon)) {
    return page.refcount == page.mapcount;
  }
  return page.has(PageFlag::kCache) && page.refcount == page.mapcount + 1;
}

void migrate_page(MemorySystem& memory, Pfn from, Pfn to) {
  FL_CHECK(is_movable(memory, from), "frame {:#x} is to move", from.value());
  copy_highpage(memory.kmap_slots(), to, from);

  int32_t entries = 0;
  bool in_tlb = false;
  rmap_walk(memory, from, [&](VmArea&, VirtAddr, mmu::Pte& pte) {
    in_tlb |= pte.accessed();
    pte = mmu::Pte(to, pte.raw() & kPageOffsetMask);
    ++entries;
    return true;
  });
  Page& old_page = memory.page(from);
  FL_CHECK(entries == old_page.mapcount, "frame {:#x}: rmap found {} entries of {}", from.value(), entries,
           old_page.mapcount);
  if (in_tlb) {
    memory.tlb().flush();
  }

  if (old_page.has(PageFlag::kCache)) {
    memory.cache().replace(from, to);
  } else {
    Page& new_page = memory.page(to);
    new_page.become(old_page.flags & ~kPlaceBits);
    new_page.mapping = old_page.mapping;
    new_page.index = old_page.index;
    new_page.mapcount = old_page.mapcount;
    new_page.refcount = old_page.refcount;
    old_page.become(PageFlag::kKernel);
    old_page.mapping = old_page.index = 0;
    old_page.mapcount = 0;
    old_page.refcount = 1;
  }
  memory.pages().free_pages(from);
}

}  // namespace fl::vm
