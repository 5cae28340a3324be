// MADV_COLD, MADV_PAGEOUT, MADV_FREE.
#include "vm/mm/madvise_reclaim.hpp"

#include <array>

#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/swap/swap_cache.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {
namespace {

using mmu::Pte;

// Calls visit(frame) for each page of the range that the area alone maps, as if it had not been used.
template <typename Visit>
void for_each_own_page(VmArea& area, VirtAddr start, VirtAddr end, bool files, Visit&& visit) {
  MemorySystem& memory = area.mm->memory();
  bool flush = false;
  area.mm->tables().for_each(start, end.value(), [&](VirtAddr, Pte& pte) {
    if (!pte.present() || pte.special()) {
      return;
    }
    const Pfn pfn = pte.pfn();
    Page& page = memory.page(pfn);
    if (page.mapcount != 1 || (!files && !page.has(PageFlag::kAnon))) {
      return;
    }
    flush |= pte.accessed();
    pte = pte.without(Pte::kAccessed);
    page.clear(PageFlag::kReferenced);
    visit(pfn);
  });
  if (flush) {
    memory.tlb().flush();
  }
}

}  // namespace

void advise_cold(VmArea& area, VirtAddr start, VirtAddr end) {
  for_each_own_page(area, start, end, true, [&](Pfn pfn) { area.mm->memory().lru().deactivate(pfn); });
}

void advise_pageout(VmArea& area, VirtAddr start, VirtAddr end, bool files) {
  MemorySystem& memory = area.mm->memory();
  std::array<Pfn, ScanControl::kSwapClusterMax> batch;
  uint32_t count = 0;
  const auto reclaim = [&] {
    const PageAllocator::Reclaiming reserve(memory.pages());
    memory.reclaim().reclaim_pages({batch.data(), count});
    count = 0;
  };
  for_each_own_page(area, start, end, files, [&](Pfn pfn) {
    batch[count++] = pfn;
    if (count == batch.size()) {
      reclaim();
    }
  });
  reclaim();
}

void advise_free(VmArea& area, VirtAddr start, VirtAddr end) {
  MemorySystem& memory = area.mm->memory();
  bool flush = false;
  area.mm->tables().for_each(start, end.value(), [&](VirtAddr, Pte& pte) {
    if (pte.swap()) {
      const SwapEntry entry = pte_to_swp_entry(pte);
      pte = Pte();
      area.mm->free_swap_entry(entry);
      return;
    }
    if (!pte.present() || pte.special()) {
      return;
    }
    const Pfn pfn = pte.pfn();
    Page& page = memory.page(pfn);
    if (!page.has(PageFlag::kAnon) || page.mapcount != 1 ||
        (page.has(PageFlag::kSwapCache) && !memory.swap_cache().try_to_free_swap(pfn))) {
      return;
    }
    flush |= pte.accessed();
    pte = pte.without(Pte::kAccessed | Pte::kDirty);
    page.clear(PageFlag::kDirty);
    if (page.has(PageFlag::kLru) && !page.has(PageFlag::kUnevictable) && page.has(PageFlag::kSwapBacked)) {
      // With the file pages: it needs no swap. Linux: lru_lazyfree_fn.
      memory.lru().remove(pfn);
      page.clear(PageFlag::kActive | PageFlag::kReferenced | PageFlag::kSwapBacked);
      memory.lru().add(pfn);
      memory.pages().events().add(VmEvent::kPglazyfree, 1);
    }
  });
  if (flush) {
    memory.tlb().flush();
  }
}

}  // namespace fl::vm
