// Growing a stack down to a faulting address. Linux counterpart: lock_mm_and_find_vma, expand_downwards,
// acct_stack_growth. Any access down to the limit grows the area (rule C4); the CPU's stack pointer does not matter.
#include "mmu/layout.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/area_editor.hpp"
#include "vm/profile.hpp"

namespace fl::vm {

tl::expected<VmArea*, FaultResult> AddressSpace::find_area_for_fault(VirtAddr va, bool& grew) {
  grew = false;
  if (mmu::is_kernel_address(va)) {
    return tl::make_unexpected(FaultResult::kMapErr);
  }
  VmArea* area = areas_.find(va);
  if (area == nullptr) {
    return tl::make_unexpected(FaultResult::kMapErr);
  }
  if (area->start <= va) {
    return area;
  }
  if (!area->has(VmFlag::kGrowsDown) || !grow_stack(*area, va.page())) {
    return tl::make_unexpected(FaultResult::kMapErr);
  }
  grew = true;
  return area;
}

Status AddressSpace::grow_stack(VmArea& area, VirtAddr va) {
  if (va.value() < kMmapMinAddr) {
    return fail(Errno::kEPERM);
  }
  const VmArea* below = area.prev;
  if (below != nullptr && !below->has(VmFlag::kGrowsDown) && below->accessible() && va - below->end < kStackGuardGap) {
    return fail(Errno::kENOMEM);
  }
  // Whatever the access was: Linux needs it to lock the area. So fork copies a stack that has only been read.
  FL_TRY(anon_vma_prepare(area));
  const uint32_t growth = area.start - va;
  const uint32_t size = area.end - va;
  if ((growth >> kPageShift) > area.pgoff) {
    return fail(Errno::kENOMEM);  // a moved stack has no offsets left below it
  }
  if (!may_expand(area.flags, growth >> kPageShift) || (limits_.stack != kUnlimited && size > limits_.stack) ||
      (area.has(VmFlag::kLocked) && !may_lock(growth))) {
    return fail(Errno::kENOMEM);
  }
  FL_TRY(memory_.overcommit().enough_memory(this, growth >> kPageShift));
  AreaEditor(*this).resize(&area, va, area.end);
  return {};
}

}  // namespace fl::vm
