// AddressSpace::mbind: gives a range a memory policy. Linux counterpart: do_mbind, mbind_range (mm/mempolicy.c).
//
// Pages that are there stay where they are (Linux moves them with MPOL_MF_MOVE only, and not every page can be moved).
#include <algorithm>

#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/area_editor.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm {
namespace {

// Whether a page between two addresses is on a node that is not in `nodes`. Linux: queue_pages_pte_range.
bool has_misplaced_page(AddressSpace& mm, VirtAddr start, VirtAddr end, NodeMask nodes) {
  MemorySystem& memory = mm.memory();
  for (VirtAddr at = start; at < end; at += kPageSize) {
    const mmu::Pte* const entry = mm.tables().find(at);
    if (entry == nullptr || !entry->present() || entry->pfn() == memory.zero_page() ||
        (entry->raw() & mmu::Pte::kSpecial) != 0) {
      continue;
    }
    if ((nodes >> memory.page(entry->pfn()).node() & 1) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

Status AddressSpace::mbind(VirtAddr start, VirtAddr end, const MemPolicy& policy, MisplacedPages misplaced) {
  const MmCall call(*this);
  // All of it is looked at before any of it is changed.
  VirtAddr at = start;
  for (const VmArea* area = areas_.lookup(start); at < end; area = area->next) {
    if (area == nullptr || area->start > at) {
      return fail(Errno::kEFAULT);
    }
    const VirtAddr stop = std::min(area->end, end);
    if (misplaced == MisplacedPages::kRefuse && has_misplaced_page(*this, at, stop, policy.nodes)) {
      return fail(Errno::kEIO);
    }
    at = stop;
  }
  AreaEditor editor(*this);
  VmArea* area = areas_.lookup(start);
  for (at = start; at < end; area = areas_.find(at)) {
    const VirtAddr stop = std::min(area->end, end);
    if (area->policy != policy) {
      FL_TRY_ASSIGN(area, editor.isolate(area, std::max(area->start, start), stop));
      area->policy = policy;
      editor.merge(area);
    }
    at = stop;
  }
  return {};
}

}  // namespace fl::vm
