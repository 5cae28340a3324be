// When no zone may give by its low watermark: the min watermark, then direct reclaim and compaction, then what stands
// on per-CPU lists. Linux counterpart: __alloc_pages_slowpath and what it calls (mm/page_alloc.c).
//
// An allocation that may not reclaim (atomic) only dips into the reserve. NOFAIL gets all of it in the end; when even
// that is used up Linux would wait for ever, here it ends as ENOMEM.
#include "vm/phys/page_allocator.hpp"

namespace fl::vm {
namespace {

constexpr uint32_t kSwapClusterMax = 32;  // pages to reclaim at a time

}  // namespace

uint32_t PageAllocator::alloc_slow(const Request& request) {
  const bool may_reclaim = request.gfp.has(kGfpDirectReclaim) && !reclaiming_;
  uint32_t flags = alloc_flags_of(request.gfp);
  if (reclaiming_ && !request.gfp.has(kGfpNoMemalloc)) {
    flags |= AllocFlag::kNoWatermarks;
  }
  uint32_t frame = get_page_from_freelist(request, flags);
  if (frame == kNoPage && may_reclaim) {
    const auto first_event = static_cast<uint32_t>(VmEvent::kAllocstallDma);
    events_.add(static_cast<VmEvent>(first_event + index_of(request.highest)), 1);
    // What reclaim frees is scattered: for blocks that only luck would make, moving pages comes first.
    if (request.order > kCostlyOrder || (request.order > 0 && request.type != MigrateType::kMovable)) {
      frame = compact_and_retry(request, flags);
    }
    if (frame == kNoPage) {
      frame = reclaim_and_retry(request, flags);
    }
    if (frame == kNoPage && request.order > 0) {
      frame = compact_and_retry(request, flags);
    }
  }
  if (frame == kNoPage && request.gfp.has(kGfpNoFail)) {
    frame = get_page_from_freelist(request, flags | AllocFlag::kNoWatermarks);
  }
  return frame;
}

uint32_t PageAllocator::reclaim_and_retry(const Request& request, uint32_t flags) {
  // Trying again helps small blocks; for costly ones only if the caller insists.
  const bool insist = !request.gfp.has(kGfpNoRetry) &&
                      (request.order <= kCostlyOrder || request.gfp.has(kGfpRetryMayFail | kGfpNoFail));
  while (true) {
    uint32_t freed = 0;
    if (reclaimer_ != nullptr) {
      reclaiming_ = true;
      while (freed < kSwapClusterMax && reclaimer_->reclaim()) {
        ++freed;
      }
      reclaiming_ = false;
      events_.add(VmEvent::kPgstealDirect, freed);
    }
    // Freed pages are on per-CPU lists, where the watermarks do not see them.
    drain_all_pages();
    const uint32_t frame = get_page_from_freelist(request, flags);
    if (frame != kNoPage || freed == 0 || !insist) {
      return frame;
    }
  }
}

uint32_t PageAllocator::compact_and_retry(const Request& request, uint32_t flags) {
  if (compactor_ == nullptr) {
    return kNoPage;
  }
  drain_all_pages();
  if (uint32_t frame = get_page_from_freelist(request, flags); frame != kNoPage) {
    return frame;
  }
  events_.add(VmEvent::kCompactStall, 1);
  reclaiming_ = true;
  const bool moved = compactor_->compact(request.order, request.highest);
  reclaiming_ = false;
  drain_all_pages();
  const uint32_t frame = moved ? get_page_from_freelist(request, flags) : kNoPage;
  events_.add(frame != kNoPage ? VmEvent::kCompactSuccess : VmEvent::kCompactFail, 1);
  return frame;
}

}  // namespace fl::vm
