// A page that is in swap comes back: from the swap cache, or read in. Linux counterpart: do_swap_page (mm/memory.c).
#include "vm/fault/vm_fault.hpp"
#include "vm/mm/protection.hpp"
#include "vm/rmap.hpp"
#include "vm/swap/swap_cache.hpp"
#include "vm/swap/swap_in.hpp"
#include "vm/swap/swap_space.hpp"
#include "vm/swap/swapin_error.hpp"

namespace fl::vm {
namespace {

using mmu::Pte;

// Whether the page should give its slot back now that it is in memory. Linux: should_try_to_free_swap.
bool should_try_to_free_swap(const VmFault& fault, const Page& page) {
  if (fault.memory().swap().vm_swap_full() || fault.area.has(VmFlag::kLocked) || page.has(PageFlag::kMlocked)) {
    return true;
  }
  // The cache's reference and ours: nobody else has the page, and a write may keep it.
  return fault.write() && page.refcount == 2;
}

}  // namespace

FaultResult do_swap_page(VmFault& fault) {
  MemorySystem& memory = fault.memory();
  const Pte old = *fault.pte;
  const SwapEntry entry = pte_to_swp_entry(old);
  if (non_swap_entry(entry)) {
    return fault.done(FaultCause::kBus, FaultResult::kBusErr);
  }
  const auto found = swap_in(memory, entry, fault.area, fault.addr);
  if (!found) {
    return fault_result(found.error(), fault.record);
  }
  if (fault.reaped()) {
    put_page(memory, found->pfn);
    return fault.done_reaped();
  }
  Page& page = memory.page(found->pfn);
  --fault.mm.use_mutable().swap_entries;
  memory.swap().swap_free(entry);
  if (page.has(PageFlag::kSwapCache) && should_try_to_free_swap(fault, page)) {
    memory.swap_cache().try_to_free_swap(found->pfn);
  }

  const bool keeps_exclusive = memory.profile().swap_keeps_exclusive;
  const bool exclusive = (keeps_exclusive && pte_swp_exclusive(old)) || page.refcount == 1;
  uint32_t bits = page_protection(fault.area, memory.profile());
  bool copy = fault.write();
  if (exclusive && fault.area.has(VmFlag::kWrite) && (fault.write() || keeps_exclusive)) {
    bits |= Pte::kWritable | (fault.write() ? uint32_t{Pte::kDirty} : 0u);
    copy = false;
  }
  map_swap_page(fault.area, fault.addr, found->pfn, exclusive);
  *fault.pte = Pte(found->pfn, bits);
  if (copy) {
    if (const FaultResult copied = do_wp_page(fault); is_error(copied)) {
      return copied;
    }
  }
  return fault.done(found->read ? FaultCause::kSwapIn : FaultCause::kSwapCache,
                    found->read ? FaultResult::kMajor : FaultResult::kMinor);
}

}  // namespace fl::vm
