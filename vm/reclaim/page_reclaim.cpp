// The loops around a policy: harder and harder until enough is free.
#include "vm/reclaim/page_reclaim.hpp"

#include <algorithm>
#include <utility>

#include "vm/memory_system.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/reclaim/workingset.hpp"

namespace fl::vm {
namespace {

// Linux: HZ / 10, as long as a reclaimer waits for writeback.
constexpr uint64_t kThrottleNs = 100'000'000;
// Linux: MAX_RECLAIM_RETRIES.
constexpr uint32_t kMaxReclaimRetries = 16;

// Linux: pgdat_balanced.
bool balanced(const Node& node, ZoneType highest) {
  bool any = false;
  for (uint32_t zone = 0; zone <= index_of(highest); ++zone) {
    const Zone& one = node.zones[zone];
    if (one.managed == 0) {
      continue;
    }
    any = true;
    if (zone_watermark_ok(one, 0, one.watermark.high, highest, AllocFlag::kWmarkMin)) {
      return true;
    }
  }
  return !any;
}

}  // namespace

PageReclaim::PageReclaim(MemorySystem& memory) : memory_(memory), policy_(make_two_list_policy()) {}
PageReclaim::~PageReclaim() = default;

void PageReclaim::shrink_lruvec(Lruvec& lruvec, ScanControl& scan) {
  const Pageout::Plug plug(pageout_);
  policy_->shrink_lruvec(memory_, lruvec, scan);
}

// Linux: shrink_node_memcgs.
void PageReclaim::shrink_node(Node& node, ScanControl& scan) {
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
        pageout_.throttle(kThrottleNs);
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
  if (const uint64_t backlog = memory_.disk().backlog_ns(); backlog > kThrottleNs) {
    memory_.disk().wait_until(memory_.disk().now() + backlog - kThrottleNs);
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
  if (!kswapd_woken()) {
    memory_.tell({.kind = MemoryEvent::Kind::kKswapdWake});
  }
  kswapd_highest_ = std::max(kswapd_highest_, static_cast<int>(index_of(highest)));
}

void PageReclaim::run_kswapd() {
  const auto highest = static_cast<ZoneType>(kswapd_highest_);
  kswapd_highest_ = -1;
  for (Node& node : memory_.pages().nodes()) {
    if (!balanced(node, highest)) {
      balance_node(node, highest);
    }
  }
  snapshot_refaults(memory_);
  memory_.cache().prune_shadows();
}

void PageReclaim::balance_node(Node& node, ZoneType highest) {
  PageAllocator::Reclaiming reserve(memory_.pages());
  memory_.pages().events().add(VmEvent::kPageoutrun, 1);
  ScanControl scan;
  scan.kswapd = true;
  scan.highest = highest;
  uint64_t scanned = 0, reclaimed = 0;
  while (scan.priority >= 1 && !balanced(node, highest)) {
    policy_->age(memory_, node.lruvec, scan);
    if (memory_.memcg() != nullptr) {
      policy_->age(memory_, memory_.memcg()->lruvec(node.id), scan);
    }
    scan.nr_reclaimed = scan.nr_scanned = 0;
    scan.nr_to_reclaim = 0;
    for (uint32_t zone = 0; zone <= index_of(highest); ++zone) {
      scan.nr_to_reclaim += std::max<uint32_t>(node.zones[zone].watermark.high, ScanControl::kSwapClusterMax);
    }
    shrink_node(node, scan);
    scanned += scan.nr_scanned;
    reclaimed += scan.nr_reclaimed;
    memory_.pages().drain_all_pages();
    // As long as each pass finds enough, the next need not look harder. Linux: raise_priority.
    if (scan.nr_scanned < scan.nr_to_reclaim || scan.nr_reclaimed == 0) {
      --scan.priority;
    }
  }
  memory_.tell({.kind = MemoryEvent::Kind::kReclaim,
                .kswapd = true,
                .node = node.id,
                .scanned = scanned,
                .reclaimed = reclaimed,
                .priority = scan.priority});
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
