// Map counts and resident sets.
#include "vm/rmap.hpp"

#include <algorithm>

#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/rmap_walk.hpp"
#include "vm/swap/swap_cache.hpp"

namespace fl::vm {
namespace {

uint32_t& rss_of(MemoryUse& use, const Page& page) {
  if (page.has(PageFlag::kAnon)) {
    return use.anon_rss;
  }
  return page.has(PageFlag::kShmem) ? use.shmem_rss : use.file_rss;
}

void count_mapped(AddressSpace& mm, const Page& page) {
  MemoryUse& use = mm.use_mutable();
  ++rss_of(use, page);
  use.hiwater_rss = std::max(use.hiwater_rss, use.rss());
}

// Who watches is told; where the page stands in the area, its index says.
void tell(const VmArea& area, Pfn pfn, bool mapped) {
  MemorySystem& memory = area.mm->memory();
  if (MemoryProbe* const probe = memory.probe(MemoryProbe::kMappings); probe != nullptr) [[unlikely]] {
    probe->on_mapping(area, area.start + ((memory.page(pfn).index - area.pgoff) << kPageShift), pfn, mapped);
  }
}

// Linux: mlock_vma_folio.
void mlock_page(VmArea& area, Pfn pfn) {
  if (area.has(VmFlag::kLocked)) [[unlikely]] {
    area.mm->memory().lru().mlock(pfn);
  }
}

// Linux: munlock_vma_folio. Other areas may keep it locked.
void munlock_page(VmArea& area, const Page& page, Pfn pfn) {
  if (page.has(PageFlag::kMlocked) && area.has(VmFlag::kLocked)) [[unlikely]] {
    MemorySystem& memory = area.mm->memory();
    if (!mapped_by_locked_area(memory, pfn)) {
      memory.lru().munlock(pfn);
    }
  }
}

void forget_mapping(VmArea& area, Page& page, mmu::Pte old) {
  FL_CHECK(page.mapcount > 0 && page.refcount > 0, "frame {:#x} unmapped with mapcount {}", old.pfn().value(),
           page.mapcount);
  --rss_of(area.mm->use_mutable(), page);
  --page.mapcount;
  tell(area, old.pfn(), /*mapped=*/false);
  munlock_page(area, page, old.pfn());
  if (page.has(PageFlag::kCache) && old.dirty() && area.shared()) {
    area.mm->memory().cache().mapping_of(page).mark_dirty(old.pfn());
  }
  if (page.has(PageFlag::kAnon) && page.mapcount == 0) {
    // Only the swap cache knows it from now on, or who holds it, for whom it stays anonymous until it is free.
    const bool held = page.refcount > 1 && !page.has(PageFlag::kSwapCache);
    page.clear(PageFlag::kAnonExclusive);
    if (!held) {
      page.clear(PageFlag::kAnon);
    }
    page.mapping = 0;
  }
}

}  // namespace

AnonVma& page_anon_vma(MemorySystem& memory, const Page& page) {
  FL_CHECK(page.has(PageFlag::kAnon) && (page.mapping & kPageMappingAnon) != 0, "flags {:#x}, mapping {:#x}",
           page.flags, page.mapping);
  return *memory.kernel_pointer<AnonVma>(VirtAddr(page.mapping & ~kPageMappingAnon));
}

void map_new_anon_page(VmArea& area, VirtAddr va, Pfn pfn) {
  MemorySystem& memory = area.mm->memory();
  Page& page = memory.page(pfn);
  page.become(PageFlag::kAnon | PageFlag::kAnonExclusive | PageFlag::kSwapBacked);
  page.mapping = memory.kernel_address(area.anon_vma).value() | kPageMappingAnon;
  page.index = area.page_index(va);
  page.mapcount = 1;
  mlock_page(area, pfn);
  memory.lru().add(pfn);
  count_mapped(*area.mm, page);
  tell(area, pfn, /*mapped=*/true);
}

void map_swap_page(VmArea& area, VirtAddr va, Pfn pfn, bool exclusive) {
  MemorySystem& memory = area.mm->memory();
  Page& page = memory.page(pfn);
  if (page.mapcount == 0) {
    // A page that others may have goes by the AnonVma that all of them are members of.
    AnonVma* const anon_vma = exclusive ? area.anon_vma : area.anon_vma->root;
    page.set(PageFlag::kAnon);
    page.mapping = memory.kernel_address(anon_vma).value() | kPageMappingAnon;
    page.index = area.page_index(va);
  }
  if (exclusive) {
    page.set(PageFlag::kAnonExclusive);
  }
  ++page.mapcount;
  mlock_page(area, pfn);
  count_mapped(*area.mm, page);
  tell(area, pfn, /*mapped=*/true);
}

void dup_mapping(VmArea& area, Pfn pfn) {
  Page& page = area.mm->memory().page(pfn);
  ++page.refcount;
  ++page.mapcount;
  page.clear(PageFlag::kAnonExclusive);
  count_mapped(*area.mm, page);
  tell(area, pfn, /*mapped=*/true);
}

void take_anon_page(VmArea& area, Pfn pfn) {
  MemorySystem& memory = area.mm->memory();
  Page& page = memory.page(pfn);
  page.mapping = memory.kernel_address(area.anon_vma).value() | kPageMappingAnon;
  page.set(PageFlag::kAnonExclusive);
}

void map_cache_page(VmArea& area, Pfn pfn) {
  Page& page = area.mm->memory().page(pfn);
  ++page.refcount;
  ++page.mapcount;
  mlock_page(area, pfn);
  count_mapped(*area.mm, page);
  tell(area, pfn, /*mapped=*/true);
}

bool has_other_users(const Page& page) {
  return page.refcount !=
         page.mapcount + (page.has(PageFlag::kCache) ? 1 : 0) + (page.has(PageFlag::kSwapCache) ? 1 : 0);
}

void unmap_page(VmArea& area, mmu::Pte old) {
  if (old.special()) {
    return;
  }
  MemorySystem& memory = area.mm->memory();
  Page& page = memory.page(old.pfn());
  forget_mapping(area, page, old);
  put_page(memory, old.pfn());
}

void put_page(MemorySystem& memory, Pfn pfn) {
  Page& page = memory.page(pfn);
  if (page.refcount > 1) {
    --page.refcount;
    if (page.has(PageFlag::kSwapCache) && page.mapcount == 0) {
      memory.swap_cache().free_unused(pfn);
    }
  } else {
    memory.lru().remove(pfn);
    page.mapping = 0;
    memory.pages().free_pages(pfn);
  }
}

void unmap_for_reclaim(VmArea& area, mmu::Pte old) {
  Page& page = area.mm->memory().page(old.pfn());
  forget_mapping(area, page, old);
  --page.refcount;
}

}  // namespace fl::vm
