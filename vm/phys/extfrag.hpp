// How fragmented a zone is, seen from an order that somebody wants. Linux counterparts in mm/vmstat.c:
// fill_contig_page_info, fragmentation_index, unusable_free_index; /sys/kernel/debug/extfrag.
#pragma once

#include <cstdint>

#include "vm/phys/zone.hpp"

namespace fl::vm {

// In thousandths. -1000: the request would succeed. Towards 0: it would fail because memory is short; towards 1000:
// because it is scattered. 0 for a zone with nothing free.
int32_t fragmentation_index(const Zone& zone, uint32_t order);

// In thousandths: the share of free memory that is of no use for a request of this order. 1000 for a zone with nothing
// free.
uint32_t unusable_free_index(const Zone& zone, uint32_t order);

}  // namespace fl::vm
