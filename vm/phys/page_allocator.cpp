// The usual case of getting and returning frames, and setting the allocator up.
#include "vm/phys/page_allocator.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "vm/kernel_space/kmap_local.hpp"
#include "vm/memory_probe.hpp"

namespace fl::vm {

PageAllocator::PageAllocator(const mmu::Ram& ram, MemMap& mem_map, mmu::TlbPort& tlb, std::span<Node> nodes)
    : ram_(ram), mem_map_(mem_map), tlb_(tlb), nodes_(nodes), buddy_(mem_map), pcp_(mem_map, buddy_) {}

void PageAllocator::start_boot(uint32_t total_pages) {
  // With less than a page block for each type grouping would only get in the way. Linux: build_all_zonelists.
  buddy_.set_mobility_grouping(total_pages >= kPageblockFrames * kMigrateTypes);
  for_each_zone([&](Zone& zone) {
    for (uint32_t block = 0; block < zone.pageblocks.size(); ++block) {
      buddy_.set_pageblock(zone, Pfn(std::min(zone.start_pfn + block * kPageblockFrames, zone.end_pfn() - 1)),
                           MigrateType::kMovable);
    }
  });
}

void PageAllocator::add_free_range(Pfn first, uint32_t frames) {
  for (uint32_t i = 0; i < frames; ++i) {
    mem_map_[first + i].set(PageFlag::kZeroed);
  }
  managed_frames_ += frames;
  for (uint32_t at = first.value(), end = at + frames; at < end;) {
    Zone& zone = zone_of(Pfn(at));
    const uint32_t count = std::min(end, zone.end_pfn()) - at;
    FL_CHECK(zone.spans(at), "frame {:#x} is not in its zone", at);
    zone.managed += count;
    buddy_.add_range(zone, Pfn(at), count);
    at += count;
  }
}

void PageAllocator::finish_boot(uint32_t min_free_kbytes) {
  build_all_zonelists(nodes_);
  settings_.min_free_kbytes = min_free_kbytes;
  if (min_free_kbytes == 0) {
    std::array<ZoneCounts, kMaxNodes> managed{};
    std::transform(nodes_.begin(), nodes_.end(), managed.begin(), [](const Node& node) { return node.managed(); });
    settings_.min_free_kbytes = min_free_kbytes_at_boot({managed.data(), nodes_.size()});
  }
  set_watermark_settings(settings_);
  for (Node& node : nodes_) {
    node.lruvec.node = &node;
  }
}

void PageAllocator::set_watermark_settings(const WatermarkSettings& settings) {
  settings_ = settings;
  uint64_t lowmem = 0;
  uint64_t highmem = 0;
  for_each_zone([&](const Zone& zone) { (zone.type <= ZoneType::kNormal ? lowmem : highmem) += zone.managed; });
  for (Node& node : nodes_) {
    const ZoneCounts managed = node.managed();
    for (Zone& zone : node.zones) {
      const bool is_highmem = zone.type == ZoneType::kHighmem || (zone.type == ZoneType::kMovable && highmem != 0);
      zone.watermark = zone_watermarks(zone.managed, is_highmem, lowmem, settings);
      zone.lowmem_reserve = lowmem_reserve(zone.type, managed, settings);
      zone.pcp.batch = zone_batchsize(zone.managed);
      zone.pcp.high = zone_highsize(zone.watermark.low, zone.pcp.batch, 1);
    }
  }
}

uint32_t PageAllocator::total_reserve_pages() const {
  uint32_t total = 0;
  for_each_zone([&](const Zone& zone) {
    const uint32_t most = *std::max_element(zone.lowmem_reserve.begin(), zone.lowmem_reserve.end());
    total += std::min(most + zone.watermark.high, zone.managed);
  });
  return total;
}

uint32_t PageAllocator::nr_free_pages() const {
  uint32_t total = 0;
  for_each_zone([&](const Zone& zone) { total += zone.free_pages(); });
  return total;
}

Result<Pfn> PageAllocator::alloc_pages_node(Gfp gfp, uint32_t order, uint32_t node, NodeMask allowed) {
  if (fail_alloc_.should_fail() && !gfp.has(kGfpNoFail)) {
    return fail(Errno::kENOMEM);
  }
  if (order > kMaxOrder) {
    return fail(Errno::kENOMEM);
  }
  const std::span<Zone* const> zones = gfp.has(kGfpThisNode) ? nodes_[node].own.zones() : nodes_[node].fallback.zones();
  const Request request{gfp, order, gfp_zone(gfp), migrate_type(gfp), allowed, zones};
  uint32_t frame = get_page_from_freelist(request, AllocFlag::kWmarkLow);
  if (frame == kNoPage) [[unlikely]] {
    frame = alloc_slow(request);
    if (frame == kNoPage) {
      return fail(Errno::kENOMEM);
    }
  }
  prepare(Pfn(frame), gfp, order);
  return gfp.has(kGfpAccount) ? charge(Pfn(frame), gfp, order) : Pfn(frame);
}

Result<Pfn> PageAllocator::charge(Pfn first, Gfp gfp, uint32_t order) {
  if (charger_ == nullptr) [[likely]] {
    return first;
  }
  if (const auto charged = charger_->charge(gfp, order, reclaiming_); !charged) {
    free_pages(first, order);
    return fail(charged.error());
  }
  mem_map_[first].set(PageFlag::kCharged);
  return first;
}

uint32_t PageAllocator::get_page_from_freelist(const Request& request, uint32_t flags) {
  Zone* preferred = nullptr;  // the first that would have done
  for (Zone* zone : request.zones) {
    if (!request.usable(*zone)) {
      continue;
    }
    preferred = preferred == nullptr ? zone : preferred;
    if ((flags & AllocFlag::kNoWatermarks) == 0) {
      const uint32_t mark = (flags & AllocFlag::kWmarkLow) != 0 ? zone->watermark.low : zone->watermark.min;
      if (!zone_watermark_ok(*zone, request.order, mark, request.highest, flags)) {
        continue;
      }
    }
    if (const uint32_t frame = rmqueue(*zone, request); frame != kNoPage) {
      zone_statistics(*preferred, *zone, 1u << request.order);
      return frame;
    }
  }
  return kNoPage;
}

uint32_t PageAllocator::rmqueue(Zone& zone, const Request& request) {
  return PerCpuPages::holds(request.order) ? pcp_.alloc(zone, request.order, request.type)
                                           : buddy_.alloc(zone, request.order, request.type);
}

void PageAllocator::zone_statistics(Zone& preferred, Zone& zone, uint32_t pages) {
  const auto first_event = static_cast<uint32_t>(VmEvent::kPgallocDma);
  events_.add(static_cast<VmEvent>(first_event + index_of(zone.type)), pages);
  if (zone.node == preferred.node) {
    zone.numa.add(NumaStat::kNumaHit, pages);
  } else {
    zone.numa.add(NumaStat::kNumaMiss, pages);
    preferred.numa.add(NumaStat::kNumaForeign, pages);
  }
  zone.numa.add(zone.node == kCpuNode ? NumaStat::kNumaLocal : NumaStat::kNumaOther, pages);
}

// Linux: prep_new_page.
void PageAllocator::prepare(Pfn first, Gfp gfp, uint32_t order) {
  const uint32_t frames = 1u << order;
  const bool compound = gfp.has(kGfpComp) && order > 0;
  for (uint32_t i = 0; i < frames; ++i) {
    Page& page = mem_map_[first + i];
    FL_CHECK(page.refcount == 0 && page.mapcount == 0 && !page.has(PageFlag::kBuddy | PageFlag::kPcp),
             "frame {:#x} was free with refcount {}, mapcount {}, flags {:#x}", (first + i).value(), page.refcount,
             page.mapcount, page.flags);
    if (gfp.has(kGfpZero) && !page.has(PageFlag::kZeroed)) {
      clear_page(first + i);
    }
    page.become(compound ? PageFlag::kKernel | (i == 0 ? PageFlag::kHead : PageFlag::kTail) : PageFlag::kKernel);
    page.mapping = 0;
    page.index = 0;
    page.private_ = compound && i != 0 ? first.value() : 0;
  }
  if (compound) {
    mem_map_[first + 1].index = order;
  }
  mem_map_[first].refcount = 1;
  used_frames_ += frames;
  peak_used_ = std::max(peak_used_, used_frames_);
  if (probe_ != nullptr) [[unlikely]] {
    probe_->on_page(first, order, /*allocated=*/true);
  }
}

void PageAllocator::clear_page(Pfn pfn) {
  if (ram_.is_low(pfn)) [[likely]] {
    std::memset(ram_.frame(pfn), 0, kPageSize);
  } else {
    clear_highpage(*kmap_slots_, pfn);
  }
}

void PageAllocator::free_pages(Pfn first, uint32_t order) {
  // A free frame has no references, wherever in its block it stands, so a second free shows here.
  const Page& head = mem_map_[first];
  FL_CHECK(head.refcount == 1, "freeing frame {:#x} with refcount {}", first.value(), head.refcount);
  FL_CHECK(!head.has(PageFlag::kHead | PageFlag::kTail) || mem_map_.compound_order(first) == order,
           "freeing frame {:#x} of a compound page with order {}", first.value(), order);
  const uint32_t frames = 1u << order;
  if (head.has(PageFlag::kCharged)) [[unlikely]] {
    mem_map_[first].clear(PageFlag::kCharged);
    charger_->uncharge(frames);
  }
  for (uint32_t i = 0; i < frames; ++i) {
    Page& page = mem_map_[first + i];
    FL_CHECK(page.mapcount == 0 && !page.has(PageFlag::kReserved | PageFlag::kCache) && (i == 0 || page.refcount == 0),
             "freeing frame {:#x} with mapcount {}, flags {:#x}", (first + i).value(), page.mapcount, page.flags);
    page.become(0);
    page.refcount = 0;
    tlb_.code_changed(first + i);
  }
  used_frames_ -= frames;
  if (probe_ != nullptr) [[unlikely]] {
    probe_->on_page(first, order, /*allocated=*/false);
  }
  events_.add(VmEvent::kPgfree, frames);
  Zone& zone = zone_of(head);
  if (PerCpuPages::holds(order)) {
    pcp_.free(zone, first, order);
  } else {
    buddy_.free(zone, first, order);
  }
}

void PageAllocator::drain_all_pages() {
  for_each_zone([&](Zone& zone) { pcp_.drain(zone); });
}

uint32_t PageAllocator::isolate_free_block(Pfn head) {
  const uint32_t order = mem_map_[head].private_;
  Zone& zone = zone_of(head);
  buddy_.take(zone, head);
  // What takes most of a page block will be filled with movable pages.
  if (order + 1 >= kPageblockOrder) {
    buddy_.set_pageblock(zone, head, MigrateType::kMovable);
  }
  prepare(head, {}, order);
  split_page(head, order);
  return order;
}

void PageAllocator::split_page(Pfn first, uint32_t order) {
  for (uint32_t i = 1; i < 1u << order; ++i) {
    Page& page = mem_map_[first + i];
    FL_CHECK(page.refcount == 0 && !page.has(PageFlag::kTail), "frame {:#x} cannot be split off", (first + i).value());
    page.refcount = 1;
  }
}

Result<Pfn> PageAllocator::alloc_table() {
  FL_TRY_ASSIGN(const Pfn pfn, alloc_pages(kGfpKernelAccount | kGfpZero));
  Page& page = mem_map_[pfn];
  page.become(PageFlag::kTable);
  count(page, NodeStat::kNrPageTablePages, 1);
  ++table_frames_;
  return pfn;
}

void PageAllocator::free_table(Pfn pfn) {
  --table_frames_;
  count(mem_map_[pfn], NodeStat::kNrPageTablePages, -1);
  free_pages(pfn);
}

}  // namespace fl::vm
