// Map counts and resident sets.
#include "vm/rmap.hpp"

#include <algorithm>

#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"

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

}  // namespace

AnonVma& page_anon_vma(MemorySystem& memory, const Page& page) {
  FL_CHECK(page.has(PageFlag::kAnon) && (page.mapping & kPageMappingAnon) != 0, "flags {:#x}, mapping {:#x}",
           page.flags, page.mapping);
  return *memory.kernel_pointer<AnonVma>(VirtAddr(page.mapping & ~kPageMappingAnon));
}

void map_new_anon_page(VmArea& area, VirtAddr va, Pfn pfn) {
  MemorySystem& memory = area.mm->memory();
  Page& page = memory.page(pfn);
  page.become(PageFlag::kAnon | PageFlag::kAnonExclusive);
  page.mapping = memory.kernel_address(area.anon_vma).value() | kPageMappingAnon;
  page.index = area.page_index(va);
  page.mapcount = 1;
  count_mapped(*area.mm, page);
}

void dup_mapping(VmArea& area, Pfn pfn) {
  Page& page = area.mm->memory().page(pfn);
  ++page.refcount;
  ++page.mapcount;
  page.clear(PageFlag::kAnonExclusive);
  count_mapped(*area.mm, page);
}

void take_anon_page(VmArea& area, Pfn pfn) {
  MemorySystem& memory = area.mm->memory();
  Page& page = memory.page(pfn);
  page.mapping = memory.kernel_address(area.anon_vma).value() | kPageMappingAnon;
  page.set(PageFlag::kAnonExclusive);
}

void map_cache_page(AddressSpace& mm, Pfn pfn) {
  Page& page = mm.memory().page(pfn);
  ++page.refcount;
  ++page.mapcount;
  mm.memory().cache().update_inactive(pfn);
  count_mapped(mm, page);
}

void unmap_page(VmArea& area, mmu::Pte old) {
  if (old.special()) {
    return;
  }
  MemorySystem& memory = area.mm->memory();
  Page& page = memory.page(old.pfn());
  FL_CHECK(page.mapcount > 0 && page.refcount > 0, "frame {:#x} unmapped with mapcount {}", old.pfn().value(),
           page.mapcount);
  --rss_of(area.mm->use_mutable(), page);
  --page.mapcount;
  if (page.has(PageFlag::kCache)) {
    --page.refcount;
    if (old.dirty() && area.shared()) {
      memory.cache().mapping_of(page).mark_dirty(old.pfn());
    }
    memory.cache().update_inactive(old.pfn());
  } else if (page.refcount > 1) {
    --page.refcount;
  } else {
    page.mapping = 0;
    memory.pages().free_pages(old.pfn());
  }
}

}  // namespace fl::vm
