// Looking at one page and, if it may go, taking it away from everybody who has it.
#include "vm/reclaim/evict.hpp"

#include "mmu/base/check.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/reclaim/workingset.hpp"
#include "vm/rmap.hpp"
#include "vm/rmap_walk.hpp"
#include "vm/swap/swap_cache.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {
namespace {

using mmu::Pte;

enum class Decision : uint8_t { kReclaim, kReclaimClean, kKeep, kActivate };

// Linux: folio_check_references.
Decision check_references(MemorySystem& memory, Pfn pfn) {
  Page& page = memory.page(pfn);
  const References found = page_referenced(memory, pfn);
  const bool was_referenced = page.has(PageFlag::kReferenced);
  page.clear(PageFlag::kReferenced);
  if (found.locked) {
    return Decision::kActivate;
  }
  const bool file = !page.has(PageFlag::kSwapBacked);
  if (found.entries != 0) {
    // Used once, it gets another round; used again, or by several, it is in use.
    page.set(PageFlag::kReferenced);
    return was_referenced || found.entries > 1 || (found.executable && file) ? Decision::kActivate : Decision::kKeep;
  }
  return was_referenced && file ? Decision::kReclaimClean : Decision::kReclaim;
}

// A private page that MADV_FREE gave up, and nobody wrote since.
bool is_lazyfree(const Page& page) { return page.has(PageFlag::kAnon) && !page.has(PageFlag::kSwapBacked); }

// Somebody wrote to it after all.
bool written_since(MemorySystem& memory, Pfn pfn) {
  return !rmap_walk(memory, pfn, [](VmArea&, VirtAddr, Pte& pte) { return !pte.dirty(); });
}

// The page, whose only users are a cache and its evictor, leaves the tree with a shadow and is freed. Linux:
// __remove_mapping.
void free_evicted(MemorySystem& memory, Pfn pfn) {
  Page& page = memory.page(pfn);
  FL_CHECK(page.mapcount == 0 && page.refcount == 2, "frame {:#x} is evicted with {} maps, {} references", pfn.value(),
           page.mapcount, page.refcount);
  --page.refcount;
  if (page.has(PageFlag::kSwapCache)) {
    memory.swap_cache().remove(pfn, workingset_eviction(memory, page));
    memory.pages().free_pages(pfn);
  } else {
    memory.cache().mapping_of(page).evict(page.index, workingset_eviction(memory, page));
  }
}

// Linux: pageout. False: it could not be written.
bool write_out(MemorySystem& memory, Pfn pfn) {
  Page& page = memory.page(pfn);
  const bool done = page.has(PageFlag::kSwapCache) ? memory.reclaim().pageout().write(pfn).has_value()
                                                   : memory.cache().mapping_of(page).write_out(page.index).has_value();
  if (done) {
    page.clear(PageFlag::kDirty);
    memory.pages().count(page, NodeStat::kNrVmscanWrite, 1);
  }
  return done;
}

}  // namespace

References page_referenced(MemorySystem& memory, Pfn pfn) {
  References found;
  rmap_walk(memory, pfn, [&](VmArea& area, VirtAddr, Pte& pte) {
    found.locked |= area.has(VmFlag::kLocked);
    if (pte.accessed()) {
      pte = pte.without(Pte::kAccessed);
      found.executable |= area.has(VmFlag::kExec);
      // What is read in order is not used again soon. Linux: VM_SEQ_READ in folio_referenced_one.
      found.entries += area.has(VmFlag::kSeqRead) ? 0 : 1;
      memory.tlb().flush();
    }
    return true;
  });
  return found;
}

bool try_to_unmap(MemorySystem& memory, Pfn pfn) {
  Page& page = memory.page(pfn);
  const bool anonymous = page.has(PageFlag::kAnon);
  const bool to_swap = anonymous && page.has(PageFlag::kSwapCache);
  FL_CHECK(!anonymous || to_swap || is_lazyfree(page), "frame {:#x} has nowhere to go", pfn.value());
  const SwapEntry entry = to_swap ? SwapCache::entry_of(page) : SwapEntry();
  bool flush = false;
  rmap_walk(memory, pfn, [&](VmArea& area, VirtAddr, Pte& pte) {
    const Pte old = pte;
    if (to_swap) {
      if (!memory.swap().swap_duplicate(entry) &&
          !(memory.swap().add_swap_count_continuation(entry, kGfpAtomic) && memory.swap().swap_duplicate(entry))) {
        return false;
      }
      pte = swp_entry_to_pte(entry);
      if (memory.profile().swap_keeps_exclusive && page.has(PageFlag::kAnonExclusive)) {
        pte = pte_swp_mkexclusive(pte);
      }
      ++area.mm->use_mutable().swap_entries;
    } else {
      pte = Pte();
    }
    flush |= old.accessed();
    if (anonymous && old.dirty()) {
      page.set(PageFlag::kDirty);
    }
    unmap_for_reclaim(area, old);
    return page.mapcount != 0;
  });
  if (flush) {
    memory.tlb().flush();
  }
  return page.mapcount == 0;
}

namespace {

// Gives the page a place in swap. False: there is none, or the page may not have one.
bool find_place(MemorySystem& memory, Pfn pfn, const ScanControl& scan) {
  const Page& page = memory.page(pfn);
  if (!page.has(PageFlag::kSwapBacked) || page.has(PageFlag::kSwapCache)) {
    return true;
  }
  if (!scan.may_swap) {
    return false;
  }
  // A page of shared memory gets its slot when nobody maps it any more; if there is none, it has lost its entries only.
  return page.has(PageFlag::kCache) || memory.swap_cache().add_to_swap(pfn);
}

// A page that is still being written: who reclaims for a group waits for it, others leave it for when it is. Linux: the
// cases of writeback in shrink_folio_list; a group of version 1.
bool written_by_now(MemorySystem& memory, Pfn pfn, ScanControl& scan) {
  Page& page = memory.page(pfn);
  if (scan.memcg != nullptr) {
    memory.reclaim().pageout().wait_on_writeback(pfn);
    return true;
  }
  if (scan.kswapd && scan.all_writeback && page.has(PageFlag::kReclaim)) {
    ++scan.nr_immediate;
  } else {
    page.set(PageFlag::kReclaim);
    ++scan.nr_writeback;
  }
  return false;
}

// The page is held by the caller.
Verdict evict_held_page(MemorySystem& memory, Pfn pfn, const ScanControl& scan) {
  Page& page = memory.page(pfn);
  Decision decision = Decision::kReclaim;
  if (scan.ignore_references) {
    decision = page_referenced(memory, pfn).locked ? Decision::kActivate : decision;
  } else {
    decision = check_references(memory, pfn);
  }
  if (decision == Decision::kActivate || decision == Decision::kKeep) {
    return decision == Decision::kKeep ? Verdict::kKeep : Verdict::kActivate;
  }
  const bool lazyfree = is_lazyfree(page);
  if (lazyfree && written_since(memory, pfn)) {
    page.set(PageFlag::kSwapBacked);
    return Verdict::kActivate;
  }
  if (!find_place(memory, pfn, scan) || (page.mapcount != 0 && !try_to_unmap(memory, pfn))) {
    return Verdict::kActivate;
  }
  if (lazyfree) {
    memory.pages().events().add(VmEvent::kPglazyfreed, 1);
    memory.pages().free_pages(pfn);
    return Verdict::kFreed;
  }
  if (page.has(PageFlag::kShmem) && !memory.cache().mapping_of(page).move_to_swap(page.index)) {
    return Verdict::kActivate;
  }
  if (page.has(PageFlag::kDirty)) {
    if (decision == Decision::kReclaimClean) {
      return Verdict::kKeep;
    }
    return write_out(memory, pfn) ? Verdict::kWritten : Verdict::kActivate;
  }
  free_evicted(memory, pfn);
  return Verdict::kFreed;
}

}  // namespace

Verdict evict_page(MemorySystem& memory, Pfn pfn, ScanControl& scan) {
  Page& page = memory.page(pfn);
  FL_CHECK(!page.has(PageFlag::kLru), "frame {:#x} is still on a list", pfn.value());
  if (has_other_users(page) || memory.faulted_pages().contains(pfn)) {
    return Verdict::kKeep;
  }
  if (page.has(PageFlag::kWriteback) && !written_by_now(memory, pfn, scan)) {
    return Verdict::kActivate;
  }
  ++page.refcount;
  const Verdict verdict = evict_held_page(memory, pfn, scan);
  if (verdict != Verdict::kFreed) {
    --page.refcount;
  }
  return verdict;
}

}  // namespace fl::vm
