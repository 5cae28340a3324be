// Invariant 9: a slot's count is the number of page-table entries and pages of shared memory that name it, and it is in
// the swap cache exactly if its bit says so.
#include <map>

#include "mmu/layout.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/swap/swap_cache.hpp"
#include "vm/swap/swap_space.hpp"
#include "vm/swap/swapin_error.hpp"
#include "vm/verify/checks.hpp"

namespace fl::vm {
namespace {

using Holders = std::map<SwapEntry, uint32_t>;

Holders count_holders(MemorySystem& memory) {
  Holders holders;
  for (AddressSpace& mm : memory.spaces()) {
    if (mm.use().swap_entries != 0) {
      mm.tables().for_each(VirtAddr(0), mmu::kTaskSize, [&](VirtAddr, mmu::Pte& pte) {
        if (pte.swap() && !non_swap_entry(pte_to_swp_entry(pte))) {
          ++holders[pte_to_swp_entry(pte)];
        }
      });
    }
  }
  for (const Mapping& mapping : memory.cache().mappings()) {
    uint64_t from = 0;
    while (mapping.is_shmem()) {
      const auto value = mapping.tree().next_value(from);
      if (!value) {
        break;
      }
      if (const SwapEntry entry = SwapEntry::from_raw(value->value); !non_swap_entry(entry)) {
        ++holders[entry];
      }
      from = uint64_t{value->index} + 1;
    }
  }
  return holders;
}

}  // namespace

void check_swap(MemorySystem& memory, Violations& out) {
  const SwapSpace& swap = memory.swap();
  bool any = false;
  swap.for_each_area([&any](const SwapArea&) { any = true; });
  if (!any) {
    return;
  }
  Holders holders = count_holders(memory);
  uint32_t cached = 0;
  for (uint32_t type = 0; type < kMaxSwapFiles; ++type) {
    swap.for_each_slot(type, [&](SwapEntry entry, uint32_t count, bool has_cache) {
      const auto found = holders.find(entry);
      const uint32_t is = found != holders.end() ? found->second : 0;
      if (count != is) {
        out.add(Invariant::kSwap, "slot {:#x} has count {}, {} hold it", entry.raw(), count, is);
      }
      if (found != holders.end()) {
        holders.erase(found);
      }
      const uint32_t frame = memory.swap_cache().find(entry);
      if (has_cache != (frame != kNoPage)) {
        out.add(Invariant::kSwap, "slot {:#x} {} in the swap cache, its bit says otherwise", entry.raw(),
                frame != kNoPage ? "is" : "is not");
      } else if (has_cache) {
        ++cached;
        const Page& page = memory.page(Pfn(frame));
        if (!page.has(PageFlag::kSwapCache) || page.private_ != entry.raw()) {
          out.add(Invariant::kSwap, "frame {:#x} is slot {:#x}'s, but has flags {:#x} and names {:#x}", frame,
                  entry.raw(), page.flags, page.private_);
        }
      }
    });
  }
  for (const auto& [entry, count] : holders) {
    out.add(Invariant::kSwap, "slot {:#x} is free, {} hold it", entry.raw(), count);
  }
  if (cached != memory.swap_cache().pages()) {
    out.add(Invariant::kSwap, "the swap cache has {} pages, the areas know {}", memory.swap_cache().pages(), cached);
  }
}

}  // namespace fl::vm
