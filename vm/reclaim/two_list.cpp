// Linux's policy: pages come to the inactive list of their kind and leave from its back; those found in use move to the
// active list, whose back refills the inactive one. How much of which kind is looked at follows swappiness and what
// reclaiming each has cost lately. Linux counterparts in mm/vmscan.c: shrink_node, prepare_scan_count, get_scan_count,
// shrink_lruvec, shrink_list, shrink_inactive_list, shrink_active_list, inactive_is_low.
#include <algorithm>
#include <array>

#include "vm/memory_system.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/reclaim/policy.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {
namespace {

using ScanCounts = std::array<uint64_t, kEvictableLists>;

uint64_t& at(ScanCounts& counts, LruList list) { return counts[index_of(list)]; }

uint64_t int_sqrt(uint64_t value) {
  uint64_t root = 0;
  while ((root + 1) * (root + 1) <= value) {
    ++root;
  }
  return root;
}

// Whether there is anything behind anonymous pages. Linux: can_reclaim_anon_pages.
bool can_reclaim_anon(MemorySystem& memory) { return memory.swap().nr_swap_pages() > 0; }

// The inactive list is too short to tell which pages are used. Linux: inactive_is_low.
bool inactive_is_low(const LruvecState& state, LruList inactive_list) {
  const uint64_t inactive = state[inactive_list];
  const uint64_t active = state[static_cast<LruList>(index_of(inactive_list) + 1)];
  const uint64_t gib = (inactive + active) >> (30 - kPageShift);
  const uint64_t ratio = gib != 0 ? int_sqrt(10 * gib) : 1;
  return inactive * ratio < active;
}

class TwoListRun {
 public:
  TwoListRun(MemorySystem& memory, Lruvec& lruvec, ScanControl& scan) : memory_(memory), lruvec_(lruvec), scan_(scan) {}

  // Linux: prepare_scan_control.
  void prepare() {
    if (scan_.memcg != nullptr) {
      scan_.memcg->flush_if_exact();
    }
    const Lruvec& lruvec = lruvec_;
    const LruvecState state = Lru::state(lruvec);
    scan_.anon_cost = lruvec.anon_cost;
    scan_.file_cost = lruvec.file_cost;
    if (scan_.force_deactivate) {
      scan_.may_deactivate_anon = scan_.may_deactivate_file = true;
    } else {
      // Pages that come back and stay: the active list has to give.
      scan_.may_deactivate_anon =
          state.activated[0] != lruvec.refaults[0] || inactive_is_low(state, LruList::kInactiveAnon);
      scan_.may_deactivate_file =
          state.activated[1] != lruvec.refaults[1] || inactive_is_low(state, LruList::kInactiveFile);
    }
    // Plenty of file pages that are used once.
    scan_.cache_trim_mode = state[LruList::kInactiveFile] >> scan_.priority != 0 && !scan_.may_deactivate_file;
    scan_.file_is_tiny = scan_.memcg == nullptr && file_is_tiny(state);
  }

  // Linux: shrink_lruvec.
  void shrink() {
    ScanCounts left = scan_counts();
    const ScanCounts targets = left;
    const bool proportional = scan_.memcg == nullptr && !scan_.kswapd && scan_.priority == ScanControl::kDefPriority;
    const uint64_t goal = scan_.nr_reclaimed + scan_.nr_to_reclaim;
    bool adjusted = false;
    while (at(left, LruList::kInactiveAnon) != 0 || at(left, LruList::kActiveFile) != 0 ||
           at(left, LruList::kInactiveFile) != 0) {
      for (uint32_t list = 0; list < kEvictableLists; ++list) {
        const auto count = static_cast<uint32_t>(std::min<uint64_t>(left[list], ScanControl::kSwapClusterMax));
        left[list] -= count;
        if (count != 0) {
          shrink_list(static_cast<LruList>(list), count);
        }
      }
      if (scan_.nr_reclaimed < goal || proportional) {
        continue;
      }
      if (!adjusted && !adjust(left, targets)) {
        break;
      }
      adjusted = true;
    }
    age_anon();
  }

  // Linux: kswapd_age_node.
  void age_anon() {
    if (can_reclaim_anon(memory_) && inactive_is_low(Lru::state(lruvec_), LruList::kInactiveAnon)) {
      shrink_active_list(LruList::kActiveAnon, ScanControl::kSwapClusterMax);
    }
  }

 private:
  // So few file pages that taking more would be all of them.
  bool file_is_tiny(const LruvecState& state) const {
    uint64_t free = 0;
    uint64_t high = 0;
    for (const Zone& zone : lruvec_.node->zones) {
      free += zone.free_pages();
      high += zone.watermark.high;
    }
    const uint64_t file = state[LruList::kActiveFile] + state[LruList::kInactiveFile];
    return file + free <= high && !scan_.may_deactivate_anon && state[LruList::kInactiveAnon] >> scan_.priority != 0;
  }

  // How many pages of each list this pass looks at. Linux: get_scan_count.
  ScanCounts scan_counts() const {
    const uint64_t swappiness = memory_.reclaim().swappiness();
    std::array<uint64_t, 2> share{1, 1};  // of anonymous and of file pages
    uint64_t whole = 1;
    if (!scan_.may_swap || !can_reclaim_anon(memory_)) {
      share[0] = 0;
    } else if (scan_.priority == 0 && swappiness != 0) {
      // The last chance: both alike.
    } else if (scan_.file_is_tiny) {
      share[1] = 0;
    } else if (scan_.cache_trim_mode) {
      share[0] = 0;
    } else {
      const uint64_t sum = scan_.anon_cost + scan_.file_cost;
      const uint64_t anon_cost = sum + scan_.anon_cost;
      const uint64_t file_cost = sum + scan_.file_cost;
      const uint64_t total = anon_cost + file_cost;
      share[0] = swappiness * (total + 1) / (anon_cost + 1);
      share[1] = (200 - swappiness) * (total + 1) / (file_cost + 1);
      whole = share[0] + share[1];
    }
    ScanCounts counts{};
    for (uint32_t list = 0; list < kEvictableLists; ++list) {
      const uint64_t size = lruvec_.size(static_cast<LruList>(list), scan_.highest);
      counts[list] = (size >> scan_.priority) * share[is_file(static_cast<LruList>(list)) ? 1 : 0] / whole;
    }
    return counts;
  }

  // Enough is reclaimed: the list that would be looked at less stops, the other goes on in proportion. False: one of
  // them is through already.
  static bool adjust(ScanCounts& left, const ScanCounts& targets) {
    const uint64_t anon = left[0] + left[1];
    const uint64_t file = left[2] + left[3];
    if (anon == 0 || file == 0) {
      return false;
    }
    const uint32_t stops = file > anon ? 0 : 2;
    const uint32_t goes_on = 2 - stops;
    const uint64_t percent = std::min(anon, file) * 100 / (targets[stops] + targets[stops + 1] + 1);
    left[stops] = left[stops + 1] = 0;
    for (uint32_t list : {goes_on, goes_on + 1}) {
      const uint64_t scanned = targets[list] - left[list];
      const uint64_t wanted = targets[list] * (100 - percent) / 100;
      left[list] = wanted - std::min(wanted, scanned);
    }
    return true;
  }

  void shrink_list(LruList list, uint32_t count) {
    if (!is_active(list)) {
      shrink_inactive_list(list, count);
    } else if (is_file(list) ? scan_.may_deactivate_file : scan_.may_deactivate_anon) {
      shrink_active_list(list, count);
    } else {
      scan_.skipped_deactivate = true;
    }
  }

  void shrink_inactive_list(LruList list, uint32_t count) {
    const Isolated taken = isolate_pages(memory_, lruvec_, list, count, scan_);
    const Evicted done = evict_pages(memory_, taken.all(), scan_);
    memory_.lru().note_cost(lruvec_, is_file(list), done.written, taken.count - done.freed);
  }

  // Pages from the back of the active list start over on the inactive one; running code stays. Linux:
  // shrink_active_list.
  void shrink_active_list(LruList list, uint32_t count) {
    const Isolated taken = isolate_pages(memory_, lruvec_, list, count, scan_);
    uint32_t rotated = 0;
    for (const Pfn pfn : taken.all()) {
      Page& page = memory_.page(pfn);
      const References found = page_referenced(memory_, pfn);
      if (found.entries == 0 || !found.executable || !is_file(list)) {
        page.clear(PageFlag::kActive);
        page.set(PageFlag::kWorkingset);
        memory_.pages().events().add(VmEvent::kPgdeactivate, 1);
      } else {
        ++rotated;
      }
      memory_.lru().add(pfn);
    }
    if (rotated != 0 && memory_.profile().rotations_cost) {
      memory_.lru().note_cost(lruvec_, is_file(list), 0, rotated);
    }
    if (scan_.memcg == nullptr) {
      memory_.pages().events().add(VmEvent::kPgrefill, taken.count);
    }
  }

  MemorySystem& memory_;
  Lruvec& lruvec_;
  ScanControl& scan_;
};

class TwoListPolicy final : public EvictionPolicy {
 public:
  void shrink_lruvec(MemorySystem& memory, Lruvec& lruvec, ScanControl& scan) override {
    TwoListRun run(memory, lruvec, scan);
    run.prepare();
    run.shrink();
  }
  void age(MemorySystem& memory, Lruvec& lruvec, ScanControl& scan) override {
    TwoListRun(memory, lruvec, scan).age_anon();
  }
};

}  // namespace

std::unique_ptr<EvictionPolicy> make_two_list_policy() { return std::make_unique<TwoListPolicy>(); }

}  // namespace fl::vm
