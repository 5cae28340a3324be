// Pages by their struct page; the vDSO's by looking who maps it.
#include "guest/fs/proc/mapped_page.hpp"

#include "mmu/page_tables.hpp"
#include "vm/memory_system.hpp"
#include "vm/phys/page.hpp"

namespace fl::guest {
namespace {

bool is_vdso(const vm::VmArea& area) { return area.special != nullptr && !area.has(vm::VmFlag::kPfnMap); }

// Its area is one of the highest.
const vm::VmArea* find_vdso(const vm::AddressSpace& mm, const vm::SpecialMapping* mapping) {
  const vm::VmArea* area = mm.areas().last();
  while (area != nullptr && (!is_vdso(*area) || (mapping != nullptr && area->special != mapping))) {
    area = area->prev;
  }
  return area;
}

// How many address spaces map this page of the vDSO.
uint32_t vdso_mapcount(vm::AddressSpace& mm, const vm::VmArea& area, uint32_t index) {
  uint32_t count = 0;
  for (const vm::AddressSpace& space : mm.memory().spaces()) {
    const vm::VmArea* const other = &space == &mm ? &area : find_vdso(space, area.special);
    if (other == nullptr || index < other->pgoff || index - other->pgoff >= other->pages()) {
      continue;
    }
    const mmu::Pte* const pte = space.tables().find(other->start + ((index - other->pgoff) << kPageShift));
    count += pte != nullptr && pte->present() ? 1 : 0;
  }
  return count;
}

}  // namespace

std::optional<MappedPage> mapped_page(vm::AddressSpace& mm, const vm::VmArea& area, VirtAddr va, mmu::Pte pte) {
  using vm::PageFlag;
  if (pte.special()) {
    if (!is_vdso(area)) {
      return std::nullopt;
    }
    return MappedPage{.mapcount = vdso_mapcount(mm, area, area.page_index(va))};
  }
  const vm::Page& page = mm.memory().page(pte.pfn());
  return MappedPage{.anonymous = page.has(PageFlag::kAnon),
                    .shmem = page.has(PageFlag::kShmem),
                    .dirty = page.has(PageFlag::kDirty),
                    .given_up = page.has(PageFlag::kAnon) && !page.has(PageFlag::kSwapBacked),
                    .mapcount = static_cast<uint32_t>(page.mapcount)};
}

vm::MemoryUse resident_use(const vm::AddressSpace& mm) {
  vm::MemoryUse use = mm.use();
  if (const vm::VmArea* const vdso = find_vdso(mm, nullptr); vdso != nullptr) {
    mm.tables().for_each(vdso->start, vdso->end.value(), [&](VirtAddr, const mmu::Pte&) { ++use.file_rss; });
  }
  return use;
}

}  // namespace fl::guest
