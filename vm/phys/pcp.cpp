// Refilling the lists, and giving pages back when there are many.
#include "vm/phys/pcp.hpp"

#include <algorithm>

namespace fl::vm {

// Linux: rmqueue_bulk. A refill is `batch` pages, or at least two blocks.
bool PcpLists::refill(Zone& zone, uint32_t order, MigrateType type) {
  PerCpuPages& pcp = zone.pcp;
  const uint32_t blocks = pcp.batch > 1 ? std::max(pcp.batch >> order, 2u) : pcp.batch;
  PageList& list = pcp.lists[PerCpuPages::list_of(type, order)];
  for (uint32_t i = 0; i < blocks; ++i) {
    const uint32_t frame = buddy_.alloc(zone, order, type);
    if (frame == kNoPage) {
      break;
    }
    // To the tail: while a large block is being cut up, pages come out in ascending order.
    Page& page = mem_map_[Pfn(frame)];
    page.set(PageFlag::kPcp);
    page.private_ = order;
    page.index = index_of(type);
    push_back(mem_map_, list, Pfn(frame));
    pcp.count += 1u << order;
  }
  return !list.empty();
}

// Linux: nr_pcp_free. Frees in a row give back more and more at once; allocations in between slow that.
uint32_t PcpLists::pages_to_free(PerCpuPages& pcp) {
  if (pcp.high < pcp.batch) {
    return 1;
  }
  const uint32_t most = std::max(pcp.high - pcp.batch, pcp.batch);
  const uint32_t pages = pcp.batch << pcp.free_factor;
  if (pages < most) {
    ++pcp.free_factor;
  }
  return std::clamp(pages, pcp.batch, most);
}

// Linux: free_pcppages_bulk.
void PcpLists::give_back(Zone& zone, uint32_t pages, uint32_t list) {
  PerCpuPages& pcp = zone.pcp;
  uint32_t left = std::min(pages, pcp.count);
  for (uint32_t i = 0; i < PerCpuPages::kLists && left > 0; ++i, list = (list + 1) % PerCpuPages::kLists) {
    const uint32_t order = PerCpuPages::order_of(list);
    PageList& from = pcp.lists[list];
    while (left > 0 && !from.empty()) {
      const Pfn last(from.tail);
      unlink(mem_map_, from, last);
      Page& page = mem_map_[last];
      page.clear(PageFlag::kPcp);
      const auto type = static_cast<MigrateType>(page.index);
      pcp.count -= 1u << order;
      left -= std::min(left, 1u << order);
      buddy_.free(zone, last, order, type);
    }
  }
}

}  // namespace fl::vm
