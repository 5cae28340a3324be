// The window for long mappings of high frames.
#include "vm/kernel_space/kmap.hpp"

#include <algorithm>

#include "mmu/base/check.hpp"

namespace fl::vm {

Kmap::Kmap(KernelSpace& space) : space_(space) {
  head_.fill(kNone);
  next_.fill(kNone);
}

uint32_t Kmap::find_slot(Pfn pfn) const {
  uint32_t slot = head_[bucket_of(pfn)];
  while (slot != kNone && pte(slot).pfn() != pfn) {
    slot = next_[slot];
  }
  return slot;
}

Result<VirtAddr> Kmap::page_address(Pfn pfn) const {
  if (space_.ram().is_low(pfn)) {
    return mmu::direct_map(PhysAddr(pfn));
  }
  const uint32_t slot = find_slot(pfn);
  if (slot == kNone) {
    return fail(Errno::kEFAULT);
  }
  return slot_address(slot);
}

Result<VirtAddr> Kmap::kmap(Pfn pfn) {
  if (space_.ram().is_low(pfn)) {
    return mmu::direct_map(PhysAddr(pfn));
  }
  uint32_t slot = find_slot(pfn);
  if (slot == kNone) {
    FL_TRY_ASSIGN(slot, map_new_virtual_address(pfn));
  }
  ++count_[slot];
  FL_CHECK(count_[slot] >= 2, "kmap slot {} has count {}", slot, count_[slot]);
  return slot_address(slot);
}

void Kmap::kunmap(Pfn pfn) {
  if (space_.ram().is_low(pfn)) {
    return;
  }
  const uint32_t slot = find_slot(pfn);
  FL_CHECK(slot != kNone && count_[slot] >= 2, "kunmap of frame {:#x}, which nobody has mapped", pfn.value());
  --count_[slot];
}

Result<uint32_t> Kmap::map_new_virtual_address(Pfn pfn) {
  // At most once around after the flush.
  for (uint32_t left = mmu::kLastPkmap; left > 0; --left) {
    last_ = (last_ + 1) % mmu::kLastPkmap;
    if (last_ == 0) {
      flush_all_zero_pkmaps();
      left = mmu::kLastPkmap;
    }
    if (count_[last_] == 0) {
      const uint32_t slot = last_;
      pte(slot) = mmu::Pte(pfn, kPageKernel);
      count_[slot] = 1;
      const uint32_t bucket = bucket_of(pfn);
      next_[slot] = std::exchange(head_[bucket], static_cast<uint16_t>(slot));
      return slot;
    }
  }
  return fail(Errno::kENOMEM);
}

void Kmap::flush_all_zero_pkmaps() {
  for (uint32_t slot = 0; slot < mmu::kLastPkmap; ++slot) {
    if (count_[slot] != 1) {
      continue;
    }
    count_[slot] = 0;
    uint16_t* link = &head_[bucket_of(pte(slot).pfn())];
    while (*link != slot) {
      link = &next_[*link];
    }
    *link = std::exchange(next_[slot], static_cast<uint16_t>(kNone));
    pte(slot) = mmu::Pte();
  }
  // Kernel addresses never reach the emulated processor's TLB: there is nothing to flush but the count.
  ++flushes_;
}

uint32_t Kmap::used_slots() const {
  return static_cast<uint32_t>(std::count_if(count_.begin(), count_.end(), [](uint16_t count) { return count >= 2; }));
}

}  // namespace fl::vm
