// The stack of fixmap slots.
#include "vm/kernel_space/kmap_local.hpp"

#include <cstring>

#include "mmu/base/check.hpp"

namespace fl::vm {

std::pair<uint32_t, std::byte*> KmapSlots::push(Pfn pfn) {
  FL_CHECK(depth_ < kKmapLocalSlots, "more than {} nested mappings of high frames", kKmapLocalSlots);
  const uint32_t slot = depth_++;
  const VirtAddr va = fix_to_virt(kFixKmapBegin + slot);
  mmu::Pte* pte = space_.find_pte(va);
  FL_CHECK(pte->none(), "fixmap slot {} is in use: {:#x}", slot, pte->raw());
  *pte = mmu::Pte(pfn, kPageKernel);
  ++mapped_;
  return {slot, space_.pointer(va)};
}

void KmapSlots::pop(uint32_t slot) {
  FL_CHECK(slot + 1 == depth_, "high frame unmapped out of order: slot {} of {}", slot, depth_);
  --depth_;
  *space_.find_pte(fix_to_virt(kFixKmapBegin + slot)) = mmu::Pte();
}

void clear_highpage(KmapSlots& slots, Pfn pfn) { std::memset(KmapLocal(slots, pfn).data(), 0, kPageSize); }

void copy_highpage(KmapSlots& slots, Pfn to, Pfn from) {
  const KmapLocal target(slots, to);
  const KmapLocal source(slots, from);
  std::memcpy(target.data(), source.data(), kPageSize);
}

}  // namespace fl::vm
