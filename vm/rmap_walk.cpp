// Walking the areas that may map a page.
#include "vm/rmap_walk.hpp"

#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/anon_vma.hpp"
#include "vm/phys/page.hpp"
#include "vm/rmap.hpp"

namespace fl::vm {
namespace {

// The area's entry for the page index, if it maps the frame. Linux: page_vma_mapped_walk, vma_address.
bool visit_area(VmArea& area, uint32_t index, Pfn pfn, const RmapVisitor& visit) {
  if (index < area.pgoff || index - area.pgoff >= area.pages()) {
    return true;
  }
  const VirtAddr va = area.start + ((index - area.pgoff) << kPageShift);
  mmu::Pte* const pte = area.mm->tables().find(va);
  if (pte == nullptr || !pte->present() || pte->special() || pte->pfn() != pfn) {
    return true;
  }
  return visit(area, va, *pte);
}

}  // namespace

bool rmap_walk(MemorySystem& memory, Pfn pfn, const RmapVisitor& visit) {
  const Page& page = memory.page(pfn);
  if (page.mapcount == 0) {
    return true;
  }
  if (page.has(PageFlag::kAnon)) {
    AnonVma& anon_vma = page_anon_vma(memory, page);
    for (AnonVmaChain& chain : anon_vma.chain) {
      if (!visit_area(*chain.area, page.index, pfn, visit)) {
        return false;
      }
    }
  } else if (page.has(PageFlag::kCache)) {
    for (VmArea& area : memory.cache().mapping_of(page).areas()) {
      if (!visit_area(area, page.index, pfn, visit)) {
        return false;
      }
    }
  }
  return true;
}

bool mapped_by_locked_area(MemorySystem& memory, Pfn pfn) {
  return !rmap_walk(memory, pfn, [](VmArea& area, VirtAddr, mmu::Pte&) { return !area.has(VmFlag::kLocked); });
}

}  // namespace fl::vm
