// brk(2): the heap. Growing makes or extends an anonymous area, shrinking unmaps; neither takes a fault (rule F2).
// Linux counterpart: sys_brk, do_brk_flags.
#include "mmu/layout.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/area_editor.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm {

VirtAddr AddressSpace::brk(VirtAddr request, FaultCounters& task) {
  const MmCall call(*this);
  const VirtAddr old_brk = layout_.brk;
  if (request < layout_.start_brk || request.value() > mmu::kTaskSize - kPageSize) {
    return old_brk;
  }
  // Heap and initialised data together. Linux: check_data_rlimit.
  const uint64_t data = uint64_t{request - layout_.start_brk} + (layout_.end_data - layout_.start_data);
  if (limits_.data != kUnlimited && data > limits_.data) {
    return old_brk;
  }
  const VirtAddr new_end(static_cast<uint32_t>(page_align_up(request.value())));
  const VirtAddr old_end(static_cast<uint32_t>(page_align_up(old_brk.value())));
  if (new_end < old_end) {
    // A heap that the program has unmapped itself does not shrink.
    if (areas_.find_intersection(new_end, old_end) == nullptr || !munmap(new_end, old_end - new_end)) {
      return old_brk;
    }
  } else if (new_end > old_end) {
    const VmArea* next = areas_.find(old_end);
    if (next != nullptr) {
      const uint32_t gap = next->has(VmFlag::kGrowsDown) ? kStackGuardGap : 0;
      if (uint64_t{new_end.value()} + kPageSize + gap > next->start.value()) {
        return old_brk;
      }
    }
    const uint32_t flags = VmFlag::kRead | VmFlag::kWrite | (read_implies_exec_ ? uint32_t{VmFlag::kExec} : 0u) |
                           VmFlag::kMayRead | VmFlag::kMayWrite | VmFlag::kMayExec | VmFlag::kAccount | default_flags_;
    const uint32_t bytes = new_end - old_end;
    if (((flags & VmFlag::kLocked) != 0 && !may_lock(bytes)) || !may_expand(flags, bytes >> kPageShift) ||
        areas_.size() > memory_.max_map_count() || !memory_.overcommit().enough_memory(this, bytes >> kPageShift)) {
      return old_brk;
    }
    const AreaShape shape{.start = old_end, .end = new_end, .flags = flags, .pgoff = old_end.vpn()};
    // Linux looks for an area to extend from start_brk on, so the heap and a bss that ends there stay two areas.
    const VmArea* below = next != nullptr ? next->prev : areas_.last();
    const bool merged = below != nullptr && below->end > layout_.start_brk;
    AreaEditor editor(*this);
    if (!(merged ? editor.add_merged(shape) : editor.add(shape))) {
      return old_brk;
    }
    if ((flags & VmFlag::kLocked) != 0) {
      static_cast<void>(populate(*this, old_end, bytes, task));
    }
  }
  layout_.brk = request;
  return request;
}

}  // namespace fl::vm
