// The loops around a policy: harder and harder until enough is free.
#include "vm/reclaim/page_reclaim.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "vm/memory_system.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/reclaim/workingset.hpp"

namespace fl::vm {

PageReclaim::PageReclaim(MemorySystem& memory) : memory_(memory), policy_(make_two_list_policy()) {
  for (Node& node : memory.pages().nodes()) {
    kswapds_.emplace_back(memory, node);
  }
}
PageReclaim::~PageReclaim() = default;

void PageReclaim::shrink_lruvec(Lruvec& lruvec, ScanControl& scan) {
  const Pageout::Plug plug(pageout_);
  policy_->shrink_lruvec(memory_, lruvec, scan);
}

// Linux: kswapd_age_node.
void PageReclaim::age_node(Node& node, ScanControl& scan) {
  policy_->age(memory_, node.lruvec, scan);
  if (memory_.memcg() != nullptr) {
    policy_->age(memory_, memory_.memcg()->lruvec(node.id), scan);
  }
}

void PageReclaim::shrink_node(Node& node, ScanControl& scan) {
  scan.nr_taken = scan.nr_writeback = scan.nr_immediate = 0;
  const uint64_t before = scan.nr_reclaimed;
  shrink_node_memcgs(node, scan);
  scan.all_writeback |= scan.nr_writeback != 0 && scan.nr_writeback == scan.nr_taken;
  if (scan.nr_reclaimed > before) {
    kswapds_[node.id].note_progress();
  }
}

void PageReclaim::shrink_node_memcgs(Node& node, ScanControl& scan) {
  if (scan.memcg == nullptr) {
    shrink_lruvec(node.lruvec, scan);
  }
  if (memory_.memcg() != nullptr) {
    shrink_lruvec(memory_.memcg()->lruvec(node.id), scan);
  }
  if (scan.memcg != nullptr) {
    return;  // no slab is charged
  }
  // Free slabs cost nothing to give back. Linux: shrink_slab.
  if (scan.nr_reclaimed < scan.nr_to_reclaim) {
    scan.nr_reclaimed += memory_.slab().shrink_all();
  }
}

uint32_t PageReclaim::do_try_to_free_pages(ScanControl scan) {
  const ScanControl wanted = scan;
  uint64_t all_scanned = 0;
  for (;;) {
    for (; scan.priority >= 0; --scan.priority) {
      all_scanned += std::exchange(scan.nr_scanned, 0);
      for (Node& node : memory_.pages().nodes()) {
        shrink_node(node, scan);
      }
      if (scan.nr_reclaimed >= scan.nr_to_reclaim) {
        break;
      }
      if (scan.nr_reclaimed == 0 && scan.priority == 1 && scan.memcg == nullptr) {
        // All is being written: some of it has to be done before anybody can go on. Linux: consider_reclaim_throttle.
        pageout_.throttle();
      }
    }
    if (scan.nr_reclaimed != 0 || !scan.skipped_deactivate || scan.force_deactivate) {
      break;
    }
    // Nothing was found while active pages were spared.
    scan = wanted;
    scan.force_deactivate = true;
  }
  snapshot_refaults(memory_, scan.memcg);
  memory_.cache().prune_shadows();
  memory_.tell({.kind = MemoryEvent::Kind::kReclaim,
                .scanned = all_scanned + scan.nr_scanned,
                .reclaimed = scan.nr_reclaimed,
                .priority = std::max(scan.priority, 0)});
  return static_cast<uint32_t>(scan.nr_reclaimed);
}

uint32_t PageReclaim::try_to_free_pages(Gfp gfp, uint32_t, ZoneType highest) {
  ScanControl scan;
  scan.highest = highest;
  scan.may_swap = gfp.has(kGfpIo);
  uint32_t reclaimed = do_try_to_free_pages(scan);
  // As long as pages are being written there is hope. Linux: should_reclaim_retry.
  for (uint32_t tries = 0; reclaimed == 0 && tries < kMaxReclaimRetries && pageout_.busy() && !gfp.has(kGfpNoRetry);
       ++tries) {
    reclaimed = do_try_to_free_pages(scan);
  }
  // Who needs memory goes no faster than the disk takes what is in its place. Linux: reclaim_throttle.
  if (const uint64_t backlog = memory_.disk().backlog_ns(); backlog > Pageout::kThrottleNs) {
    memory_.disk().wait_until(memory_.disk().now() + backlog - Pageout::kThrottleNs);
  }
  return reclaimed;
}

uint32_t PageReclaim::try_to_free_mem_cgroup_pages(MemCgroup& memcg, uint32_t pages, Gfp gfp) {
  const PageAllocator::Reclaiming reserve(memory_.pages());
  ScanControl scan;
  scan.nr_to_reclaim = std::max(pages, ScanControl::kSwapClusterMax);
  scan.memcg = &memcg;
  scan.may_swap = gfp.has(kGfpIo);
  return do_try_to_free_pages(scan);
}

void PageReclaim::wakeup_kswapd(ZoneType highest) {
  for (uint32_t node = 0; node < kswapds_.size(); ++node) {
    if (kswapds_[node].wake(highest)) {
      end_kswapd_wait(node);
    }
  }
}

std::optional<uint64_t> PageReclaim::run_kswapd(uint32_t node) {
  runnable_kswapds_ &= ~(NodeMask{1} << node);
  return kswapds_[node].run();
}

void PageReclaim::run_kswapds() {
  while (kswapd_runnable()) {
    const auto node = static_cast<uint32_t>(std::countr_zero(runnable_kswapds_));
    if (const std::optional<uint64_t> waits = run_kswapd(node)) {
      memory_.disk().wait_until(*waits);
      end_kswapd_wait(node);
    }
  }
}

void PageReclaim::reclaim_pages(std::span<const Pfn> pages) {
  const Pageout::Plug plug(pageout_);
  for (const Pfn pfn : pages) {
    Page& page = memory_.page(pfn);
    if (!page.has(PageFlag::kLru) || page.has(PageFlag::kUnevictable)) {
      continue;
    }
    memory_.lru().remove(pfn);
    page.clear(PageFlag::kActive);
    ScanControl scan;
    scan.ignore_references = true;
    scan.by_advice = true;
    evict_pages(memory_, std::span(&pfn, 1), scan);
  }
}

}  // namespace fl::vm
