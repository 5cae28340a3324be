// When no zone may give by its low watermark: kswapd is woken, the min watermark holds, then direct reclaim and
// compaction, then the OOM killer. Linux counterpart: __alloc_pages_slowpath and what it calls (mm/page_alloc.c).
//
// An allocation that may not reclaim (atomic) only dips into the reserve. NOFAIL gets all of it in the end; when even
// that is used up Linux would wait for ever, here it ends as ENOMEM.
#include "vm/phys/page_allocator.hpp"

namespace fl::vm {
uint32_t PageAllocator::alloc_slow(const Request& request) {
  const bool may_reclaim = request.gfp.has(kGfpDirectReclaim) && !reclaiming_;
  if (reclaimer_ != nullptr && request.gfp.has(kGfpKswapdReclaim)) {
    reclaimer_->wakeup_kswapd(request.highest);
  }
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

// Linux: __alloc_pages_direct_reclaim.
uint32_t PageAllocator::direct_reclaim(const Request& request) {
  const Reclaiming reserve(*this);
  const uint32_t freed =
      reclaimer_ != nullptr ? reclaimer_->try_to_free_pages(request.gfp, request.order, request.highest) : 0;
  // Freed pages are on per-CPU lists, where the watermarks do not see them.
  drain_all_pages();
  return freed;
}

uint32_t PageAllocator::reclaim_and_retry(const Request& request, uint32_t flags) {
  // Trying again helps small blocks; for costly ones only if the caller insists.
  const bool insist = !request.gfp.has(kGfpNoRetry) &&
                      (request.order <= kCostlyOrder || request.gfp.has(kGfpRetryMayFail | kGfpNoFail));
  // Linux: __alloc_pages_may_oom.
  const bool may_kill = oom_killer_ != nullptr && insist && request.order <= kCostlyOrder && request.gfp.has(kGfpFs) &&
                        !request.gfp.has(kGfpRetryMayFail | kGfpThisNode);
  while (true) {
    const uint32_t freed = direct_reclaim(request);
    const uint32_t frame = get_page_from_freelist(request, flags);
    if (frame != kNoPage || !insist) {
      return frame;
    }
    if (freed != 0) {
      continue;
    }
    const OomKiller::Action action =
        may_kill ? oom_killer_->out_of_memory(request.gfp, request.order) : OomKiller::Action::kFail;
    drain_all_pages();
    if (action != OomKiller::Action::kRetry) {
      return action == OomKiller::Action::kFail ? uint32_t{kNoPage}
                                                : get_page_from_freelist(request, flags | AllocFlag::kNoWatermarks);
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
  const bool moved = [&] {
    const Reclaiming reserve(*this);
    return compactor_->compact(request.order, request.highest);
  }();
  drain_all_pages();
  const uint32_t frame = moved ? get_page_from_freelist(request, flags) : kNoPage;
  events_.add(frame != kNoPage ? VmEvent::kCompactSuccess : VmEvent::kCompactFail, 1);
  return frame;
}

}  // namespace fl::vm
