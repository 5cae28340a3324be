// swapoff's work: everything that is in an area comes back to memory. Linux counterpart: try_to_unuse, unuse_mm,
// unuse_pte (mm/swapfile.c), shmem_unuse (mm/shmem.c).
#include <optional>

#include "mmu/layout.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/protection.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/rmap.hpp"
#include "vm/swap/swap_cache.hpp"
#include "vm/swap/swap_space.hpp"
#include "vm/swap/swapin_error.hpp"

namespace fl::vm {
namespace {

using mmu::Pte;

// The entry becomes a page again. Its table stays; reading may change entries of present pages only.
Status unuse_pte(AddressSpace& mm, VmArea& area, VirtAddr va, Pte& pte) {
  MemorySystem& memory = mm.memory();
  const Pte old = pte;
  const SwapEntry entry = pte_to_swp_entry(old);
  const auto read = read_swap_page(memory, entry);
  if (pte.raw() != old.raw()) {
    // The OOM killer has taken the entry meanwhile.
    if (read) {
      put_page(memory, read->pfn);
    }
    return {};
  }
  if (!read && read.error() == Errno::kEIO) {
    // The page is lost; the area can go all the same, and who touches the page will hear of it.
    --mm.use_mutable().swap_entries;
    pte = swp_entry_to_pte(make_swapin_error_entry());
    memory.swap().swap_free(entry);
    return {};
  }
  if (!read) {
    return fail(read.error());
  }
  const SwappedIn found = *read;
  Page& page = memory.page(found.pfn);
  --mm.use_mutable().swap_entries;
  memory.swap().swap_free(entry);
  map_swap_page(area, va, found.pfn, memory.profile().swap_keeps_exclusive && pte_swp_exclusive(old));
  pte = Pte(found.pfn, page_protection(area, memory.profile())).without(Pte::kAccessed);
  if (page.has(PageFlag::kSwapCache)) {
    memory.swap_cache().try_to_free_swap(found.pfn);
  }
  return {};
}

Status unuse_mm(AddressSpace& mm, uint32_t type) {
  for (VmArea* area = mm.areas().first(); area != nullptr; area = area->next) {
    if (!area->has_anon_vma()) {
      continue;
    }
    std::optional<Errno> failed;
    mm.tables().for_each(area->start, area->end.value(), [&](VirtAddr va, Pte& pte) {
      if (!failed && pte.swap() && pte_to_swp_entry(pte).type == type) {
        const Status done = unuse_pte(mm, *area, va, pte);
        failed = done ? std::nullopt : std::optional(done.error());
      }
    });
    if (failed) {
      return fail(*failed);
    }
  }
  return {};
}

}  // namespace

Status SwapCache::unuse_once(uint32_t type) {
  memory_.reclaim().pageout().wait_on_all();  // a page that is being written keeps its slot
  for (Mapping& mapping : memory_.cache().mappings()) {
    if (!mapping.is_shmem()) {
      continue;
    }
    uint64_t from = 0;
    while (const auto value = mapping.tree().next_value(from)) {
      const SwapEntry entry = SwapEntry::from_raw(value->value);
      if (entry.type == type) {
        // One that cannot be read is lost, but nothing of the area is needed for it any more.
        if (const auto in = mapping.swap_in(value->index, entry, nullptr); !in && in.error() != Errno::kEIO) {
          return fail(in.error());
        }
      }
      from = uint64_t{value->index} + 1;
    }
  }
  for (AddressSpace& mm : memory_.spaces()) {
    FL_TRY(unuse_mm(mm, type));
  }
  // What only the cache holds any more, when nothing of it is being written.
  memory_.reclaim().pageout().wait_on_all();
  uint64_t from = 0;
  while (const auto entry = trees_[type] != nullptr ? trees_[type]->next(from) : std::nullopt) {
    Page& page = memory_.page(entry->pfn);
    if (page.mapcount != 0 || page.refcount != 1) {
      ++page.refcount;
      try_to_free_swap(entry->pfn);
      --page.refcount;
    } else {
      free_unused(entry->pfn);
    }
    from = uint64_t{entry->index} + 1;
  }
  return {};
}

// A page that came back, but that somebody else still has in swap, may go out to its old slot again while memory is
// sought for the next: as long as slots get fewer, another round finds it.
Status SwapCache::try_to_unuse(uint32_t type) {
  const SwapArea& area = *memory_.swap().area(type);
  while (area.inuse_pages() != 0) {
    const uint32_t before = area.inuse_pages();
    FL_TRY(unuse_once(type));
    if (area.inuse_pages() >= before) {
      return fail(Errno::kEBUSY);
    }
  }
  return {};
}

}  // namespace fl::vm
