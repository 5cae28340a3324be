// The window of a readahead grows with the pages of the last one that were used, as swapin_nr_pages has it.
#include "vm/swap/swap_in.hpp"

#include <algorithm>
#include <bit>

#include "mmu/layout.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/reclaim/workingset.hpp"
#include "vm/swap/swap_cache.hpp"
#include "vm/swap/swap_space.hpp"
#include "vm/swap/swapin_error.hpp"

namespace fl::vm {
namespace {

constexpr uint32_t kMaxWindow = 1u << kPageCluster;

// Pages to read together, after `hits` of the last window's were used. Linux: __swapin_nr_pages.
uint32_t window_pages(uint32_t previous, uint32_t at, uint32_t hits, uint32_t last_window) {
  uint32_t pages = hits + 2;
  if (hits == 0) {
    // Nothing speaks for more than one, unless it goes on where the last one was.
    pages = at == previous + 1 || at + 1 == previous ? 2 : 1;
  } else {
    uint32_t rounded = 4;
    while (rounded < pages) {
      rounded *= 2;
    }
    pages = rounded;
  }
  return std::max(std::min(pages, kMaxWindow), last_window / 2);
}

// A fresh page of the swap cache with the entry's contents, or why not. The disk brings it last of all it was asked
// for.
Result<Pfn> read_into_cache(MemorySystem& memory, SwapEntry entry, Gfp gfp) {
  FL_TRY_ASSIGN(const Pfn fresh, memory.pages().alloc_pages(gfp));
  FL_TRY_ASSIGN(const Pfn pfn, memory.pages().charge(fresh, gfp));
  Page& page = memory.page(pfn);
  const auto shadow = memory.swap_cache().shadow(entry);
  page.become(PageFlag::kSwapBacked);
  if (const auto added = memory.swap_cache().add(pfn, entry); !added) {
    page.become(PageFlag::kKernel);
    memory.pages().free_pages(pfn);
    return fail(added.error());
  }
  memory.disk().submit(memory.swap().area(entry.type), entry.offset, 1);
  memory.reclaim().pageout().note_read();
  const auto done = memory.swap().read_page(entry, KmapLocal(memory.kmap_slots(), pfn).bytes());
  if (!done) {
    memory.swap_cache().remove(pfn);
    --page.refcount;
    page.become(PageFlag::kKernel);
    memory.pages().free_pages(pfn);
    return fail(done.error());
  }
  if (shadow) {
    workingset_refault(memory, pfn, *shadow);
  }
  memory.lru().add(pfn);
  if (MemoryProbe* const probe = memory.probe(MemoryProbe::kSwapIn); probe != nullptr) [[unlikely]] {
    probe->on_swap_in(pfn, entry, /*ahead=*/gfp.has(kGfpNoRetry));
  }
  return pfn;
}

// The page that is wanted: it has to come.
Result<Pfn> read_and_wait(MemorySystem& memory, SwapEntry entry) {
  FL_TRY_ASSIGN(const Pfn pfn, read_into_cache(memory, entry, kGfpHighUserMovable));
  memory.disk().wait_idle();
  return pfn;
}

// The page as it is in the cache, with a reference; kNoPage.
uint32_t look_up(MemorySystem& memory, SwapEntry entry, VmArea* area, VirtAddr addr) {
  memory.reclaim().pageout().end_writeback();
  const uint32_t frame = memory.swap_cache().find(entry);
  if (frame == kNoPage) {
    return kNoPage;
  }
  Page& page = memory.page(Pfn(frame));
  ++page.refcount;
  // On Linux a page that is being written out counts as one that was read ahead: the bit is the same.
  const bool ahead = page.has(PageFlag::kReadahead);
  page.clear(PageFlag::kReadahead);
  const bool by_area = memory.swap().nr_rotate_swap() == 0;
  if (area != nullptr && by_area) {
    SwapReadahead& info = area->swap_readahead;
    info.hits = static_cast<uint8_t>(std::min<uint32_t>(info.hits + (ahead ? 1u : 0u), 63));
    info.page = addr.vpn();
  }
  if (ahead) {
    memory.pages().events().add(VmEvent::kSwapRaHit, 1);
    if (area == nullptr || !by_area) {
      ++memory.swap_cluster().hits;
    }
  }
  return frame;
}

void read_ahead(MemorySystem& memory, SwapEntry entry) {
  // Not for a slot that nobody has: the frame would be taken for nothing.
  if (memory.swap_cache().find(entry) != kNoPage || memory.swap().swap_count(entry) == 0) {
    return;
  }
  if (const auto pfn = read_into_cache(memory, entry, kGfpHighUserMovable | kGfpNoRetry | kGfpNoWarn)) {
    Page& page = memory.page(*pfn);
    page.set(PageFlag::kReadahead);
    --page.refcount;
    memory.pages().events().add(VmEvent::kSwapRa, 1);
  }
}

// What a readahead reads: the page that is wanted stands among its neighbours, and is read when its turn comes.
class ReadaheadWindow {
 public:
  ReadaheadWindow(MemorySystem& memory, SwapEntry wanted) : memory_(memory), wanted_(wanted) {}
  void read(SwapEntry entry) {
    if (entry.raw() != wanted_.raw()) {
      read_ahead(memory_, entry);
    } else {
      page_ = read_and_wait(memory_, entry);
    }
  }
  // With a reference, or why not; nothing: its turn did not come.
  const std::optional<Result<Pfn>>& wanted() const { return page_; }

 private:
  MemorySystem& memory_;
  SwapEntry wanted_;
  std::optional<Result<Pfn>> page_;
};

// How many somebody else would rather read.
uint32_t chosen_pages(MemorySystem& memory, const VmArea& area, VirtAddr addr, uint32_t pages) {
  MemoryChooser* const chooser = memory.chooser();
  return chooser == nullptr ? pages : std::clamp(chooser->swap_readahead(area, addr, pages), 1u, kMaxSwapWindow);
}

// Neighbours on the disk: the aligned block around the slot. Linux: swap_cluster_readahead.
void cluster_readahead(MemorySystem& memory, SwapEntry entry, const VmArea& area, VirtAddr addr,
                       ReadaheadWindow& window) {
  SwapClusterReadahead& state = memory.swap_cluster();
  const uint32_t hits = std::exchange(state.hits, 0);
  const uint32_t pages = std::bit_floor(
      chosen_pages(memory, area, addr, window_pages(state.prev_offset, entry.offset, hits, state.last_pages)));
  if (hits == 0) {
    state.prev_offset = entry.offset;
  }
  state.last_pages = pages;
  if (pages == 1) {
    return;
  }
  const Pageout::Plug plug(memory.reclaim().pageout());
  const uint32_t mask = pages - 1;
  const uint32_t last = std::min(entry.offset | mask, memory.swap().area(entry.type)->max() - 1);
  for (uint32_t offset = std::max(entry.offset & ~mask, 1u); offset <= last; ++offset) {
    window.read({entry.type, offset});
  }
}

// Neighbours in the area, on the side that faults move to. Linux: swap_vma_readahead.
void vma_readahead(VmArea& area, VirtAddr addr, ReadaheadWindow& window) {
  SwapReadahead& info = area.swap_readahead;
  const uint32_t at = addr.vpn();
  const uint32_t previous = info.page;
  const uint32_t pages =
      chosen_pages(area.mm->memory(), area, addr, window_pages(previous, at, info.hits, info.window));
  info = {.page = at, .window = static_cast<uint8_t>(pages), .hits = 0};
  if (pages == 1) {
    return;
  }
  uint32_t first = at - std::min(at, (pages - 1) / 2);
  if (at == previous + 1) {
    first = at;
  } else if (at + 1 == previous) {
    first = at - std::min(at, pages - 1);
  }
  const Pageout::Plug plug(area.mm->memory().reclaim().pageout());
  const uint32_t table = addr.value() & ~(mmu::kPgdirSize - 1);
  const uint32_t end = std::min({first + pages, area.end.vpn(), (table >> kPageShift) + mmu::kEntriesPerTable});
  for (uint32_t page = std::max({first, area.start.vpn(), table >> kPageShift}); page < end; ++page) {
    const mmu::Pte* const pte = area.mm->tables().find(VirtAddr(page << kPageShift));
    if (pte != nullptr && pte->swap() && !non_swap_entry(pte_to_swp_entry(*pte))) {
      window.read(pte_to_swp_entry(*pte));
    }
  }
}

}  // namespace

Result<SwappedIn> read_swap_page(MemorySystem& memory, SwapEntry entry) {
  if (const uint32_t frame = look_up(memory, entry, nullptr, VirtAddr(0)); frame != kNoPage) {
    return SwappedIn{Pfn(frame), false};
  }
  FL_TRY_ASSIGN(const Pfn pfn, read_and_wait(memory, entry));
  return SwappedIn{pfn, true};
}

Result<SwappedIn> swap_in(MemorySystem& memory, SwapEntry entry, VmArea& area, VirtAddr addr) {
  if (const uint32_t frame = look_up(memory, entry, &area, addr); frame != kNoPage) {
    return SwappedIn{Pfn(frame), false};
  }
  ReadaheadWindow window(memory, entry);
  if (memory.swap().nr_rotate_swap() != 0) {
    cluster_readahead(memory, entry, area, addr, window);
  } else {
    vma_readahead(area, addr, window);
  }
  FL_TRY_ASSIGN(const Pfn pfn, window.wanted() ? *window.wanted() : read_and_wait(memory, entry));
  return SwappedIn{pfn, true};
}

}  // namespace fl::vm
