// msync(2) and mincore(2). Linux counterpart: mm/msync.c, mm/mincore.c.
#include <algorithm>

#include "mmu/layout.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/phys/page.hpp"
#include "vm/swap/swap_cache.hpp"
#include "vm/swap/swapin_error.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm {
namespace {

constexpr uint32_t kMsAsync = 1;
constexpr uint32_t kMsInvalidate = 2;
constexpr uint32_t kMsSync = 4;

}  // namespace

Status AddressSpace::msync(VirtAddr addr, uint32_t length, uint32_t flags) {
  const MmCall call(*this);
  const uint64_t bytes = page_align_up(length);
  if ((flags & ~(kMsAsync | kMsInvalidate | kMsSync)) != 0 || !addr.page_aligned() ||
      ((flags & kMsAsync) != 0 && (flags & kMsSync) != 0)) {
    return fail(Errno::kEINVAL);
  }
  if (addr.value() + bytes > mmu::kTaskSize) {
    return fail(Errno::kENOMEM);
  }
  const uint64_t end = addr.value() + bytes;
  Status result;
  for (uint64_t at = addr.value(); at < end;) {
    VmArea* area = areas_.find(VirtAddr(static_cast<uint32_t>(at)));
    if (area == nullptr || area->start.value() >= end) {
      return fail(Errno::kENOMEM);
    }
    if (area->start.value() > at) {
      result = fail(Errno::kENOMEM);
      at = area->start.value();
    }
    const uint64_t stop = std::min<uint64_t>(area->end.value(), end);
    if ((flags & kMsInvalidate) != 0 && area->has(VmFlag::kLocked)) {
      return fail(Errno::kEBUSY);
    }
    if ((flags & kMsSync) != 0 && area->file != nullptr && area->shared()) {
      const uint64_t first = area->page_index(VirtAddr(static_cast<uint32_t>(at)));
      FL_TRY(area->file->mapping->write_back(first, first + ((stop - at) >> kPageShift) - 1));
      memory_.disk().wait_idle();
    }
    at = stop;
  }
  return result;
}

Result<uint32_t> AddressSpace::mincore(VirtAddr addr, std::span<uint8_t> resident,
                                       const std::function<bool(const MappedFile&)>& may_know) {
  const VmArea* const area = areas_.lookup(addr);
  if (area == nullptr) {
    return fail(Errno::kENOMEM);
  }
  const uint32_t count = std::min(static_cast<uint32_t>(resident.size()), (area->end - addr) >> kPageShift);
  // The kernel's own pages are everybody's secret. Linux: can_do_mincore.
  if (area->special != nullptr ||
      (area->file != nullptr && area->file->operations != nullptr && !may_know(*area->file))) {
    std::fill_n(resident.begin(), count, uint8_t{1});
    return count;
  }
  for (uint32_t page = 0; page < count; ++page) {
    const VirtAddr va = addr + (page << kPageShift);
    const mmu::Pte* pte = tables_.find(va);
    if (pte != nullptr && !pte->none()) {
      const SwapEntry entry = pte->present() ? SwapEntry() : pte_to_swp_entry(*pte);
      resident[page] = !entry || non_swap_entry(entry) || memory_.swap_cache().find(entry) != kNoPage ? 1 : 0;
      continue;
    }
    resident[page] = area->file != nullptr && area->file->mapping->in_memory(area->page_index(va)) ? 1 : 0;
  }
  return count;
}

}  // namespace fl::vm
