// Both indices from the numbers of free blocks.
#include "vm/phys/extfrag.hpp"

namespace fl::vm {
namespace {

// Linux: struct contig_page_info.
struct ContigPages {
  uint64_t free_pages = 0;
  uint64_t free_blocks = 0;      // of any order
  uint64_t suitable_blocks = 0;  // blocks of the wanted order that the larger ones contain
  ContigPages(const Zone& zone, uint32_t wanted) {
    for (uint32_t order = 0; order <= kMaxOrder; ++order) {
      const uint64_t blocks = zone.free_area[order].nr_free;
      free_blocks += blocks;
      free_pages += blocks << order;
      suitable_blocks += order >= wanted ? blocks << (order - wanted) : 0;
    }
  }
};

}  // namespace

int32_t fragmentation_index(const Zone& zone, uint32_t order) {
  const ContigPages pages(zone, order);
  if (order > kMaxOrder || pages.free_blocks == 0) {
    return 0;
  }
  if (pages.suitable_blocks != 0) {
    return -1000;
  }
  const uint64_t requests = (pages.free_pages * 1000) >> order;
  return 1000 - static_cast<int32_t>((1000 + requests) / pages.free_blocks);
}

uint32_t unusable_free_index(const Zone& zone, uint32_t order) {
  const ContigPages pages(zone, order);
  if (pages.free_pages == 0) {
    return 1000;
  }
  return static_cast<uint32_t>((pages.free_pages - (pages.suitable_blocks << order)) * 1000 / pages.free_pages);
}

}  // namespace fl::vm
