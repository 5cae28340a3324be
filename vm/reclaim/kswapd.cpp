// kswapd's passes.
#include "vm/reclaim/kswapd.hpp"

#include <algorithm>
#include <utility>

#include "vm/memory_system.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/reclaim/workingset.hpp"

namespace fl::vm {
namespace {

// It sleeps until so many pages are written. Linux: VMSCAN_THROTTLE_WRITEBACK.
constexpr uint64_t kThrottlePages = ScanControl::kSwapClusterMax + 1;

}  // namespace

// Linux: pgdat_balanced: one zone with enough is enough.
bool Kswapd::balanced(ZoneType highest) const {
  bool any = false;
  for (uint32_t zone = 0; zone <= index_of(highest); ++zone) {
    const Zone& one = node_.zones[zone];
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

bool Kswapd::wake(ZoneType highest) {
  highest_ = std::max(highest_, static_cast<int>(index_of(highest)));
  if (!asleep_ || hopeless() || balanced(static_cast<ZoneType>(highest_))) {
    return false;
  }
  asleep_ = false;
  memory_.tell({.kind = MemoryEvent::Kind::kKswapdWake, .node = node_.id});
  begin(static_cast<ZoneType>(std::exchange(highest_, -1)));
  return true;
}

void Kswapd::begin(ZoneType highest) {
  memory_.pages().events().add(VmEvent::kPageoutrun, 1);
  scan_ = {};
  scan_.kswapd = true;
  scan_.highest = highest;
  scanned_ = reclaimed_ = 0;
}

std::optional<uint64_t> Kswapd::run() {
  const PageAllocator::Reclaiming reserve(memory_.pages());
  while (!balanced(scan_.highest)) {
    if (scan_.priority >= 1) {
      pass();
      if (scan_.nr_immediate != 0) {
        return memory_.reclaim().pageout().throttle_end(kThrottlePages);
      }
      continue;
    }
    failures_ += scan_.nr_reclaimed == 0 ? 1 : 0;
    if (hopeless()) {
      break;
    }
    // From the start: much of what it met may be written by now. Linux: prepare_kswapd_sleep.
    finish();
    begin(scan_.highest);
  }
  finish();
  asleep_ = true;
  return std::nullopt;
}

// Linux: kswapd_age_node, kswapd_shrink_node.
void Kswapd::pass() {
  memory_.reclaim().age_node(node_, scan_);
  scan_.nr_reclaimed = scan_.nr_scanned = 0;
  scan_.nr_to_reclaim = 0;
  for (uint32_t zone = 0; zone <= index_of(scan_.highest); ++zone) {
    scan_.nr_to_reclaim += std::max<uint32_t>(node_.zones[zone].watermark.high, ScanControl::kSwapClusterMax);
  }
  memory_.reclaim().shrink_node(node_, scan_);
  scanned_ += scan_.nr_scanned;
  reclaimed_ += scan_.nr_reclaimed;
  memory_.pages().drain_all_pages();
  // As long as each pass finds enough, the next need not look harder. Linux: raise_priority.
  if (scan_.nr_scanned < scan_.nr_to_reclaim || scan_.nr_reclaimed == 0) {
    --scan_.priority;
  }
}

void Kswapd::finish() {
  snapshot_refaults(memory_);
  memory_.cache().prune_shadows();
  memory_.tell({.kind = MemoryEvent::Kind::kReclaim,
                .kswapd = true,
                .node = node_.id,
                .scanned = scanned_,
                .reclaimed = reclaimed_,
                .priority = scan_.priority});
}

}  // namespace fl::vm
