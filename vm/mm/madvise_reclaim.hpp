// The advices that tell reclaim what to take first. Linux counterpart: madvise_cold_or_pageout_pte_range,
// madvise_free_pte_range (mm/madvise.c). Ranges lie inside the area.
#pragma once

#include "mmu/base/addr.hpp"
#include "vm/mm/vm_area.hpp"

namespace fl::vm {

// MADV_COLD: pages that nobody else maps go to the inactive list.
void advise_cold(VmArea& area, VirtAddr start, VirtAddr end);
// MADV_PAGEOUT: they are evicted; private anonymous ones only unless `files`.
void advise_pageout(VmArea& area, VirtAddr start, VirtAddr end, bool files);
// MADV_FREE, of a private anonymous area: pages that are not written again may be dropped instead of swapped.
void advise_free(VmArea& area, VirtAddr start, VirtAddr end);

}  // namespace fl::vm
