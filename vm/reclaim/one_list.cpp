// The two simple policies. Both look at the inactive lists only, where pages come in at the front: FIFO takes from the
// back whatever it finds; CLOCK, a second-chance FIFO, puts a page that was used back to the front.
#include <algorithm>

#include "vm/memory_system.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/reclaim/policy.hpp"

namespace fl::vm {
namespace {

class OneListPolicy final : public EvictionPolicy {
 public:
  enum class Used : uint8_t { kSpared, kNot };
  explicit OneListPolicy(Used used) : used_(used) {}

  void shrink_lruvec(MemorySystem& memory, Lruvec& lruvec, ScanControl& scan) override {
    scan.ignore_references = true;  // whether a page was used is looked at here, or nowhere
    const uint64_t goal = scan.nr_reclaimed + scan.nr_to_reclaim;
    // Pages that were active by other means (read twice, a refault) stand in line like all others.
    for (const LruList list : {LruList::kActiveAnon, LruList::kActiveFile}) {
      while (!lruvec.list(list).empty()) {
        const Isolated taken = isolate_pages(memory, lruvec, list, ScanControl::kSwapClusterMax, scan);
        if (taken.count == 0) {
          break;
        }
        for (const Pfn pfn : taken.all()) {
          memory.page(pfn).clear(PageFlag::kActive);
          memory.lru().add(pfn);
        }
      }
    }
    for (const LruList list : {LruList::kInactiveFile, LruList::kInactiveAnon}) {
      uint64_t left = (lruvec.size(list, scan.highest) >> scan.priority) + ScanControl::kSwapClusterMax;
      while (left > 0 && scan.nr_reclaimed < goal) {
        const auto count = static_cast<uint32_t>(std::min<uint64_t>(left, ScanControl::kSwapClusterMax));
        left -= count;
        const Isolated taken = isolate_pages(memory, lruvec, list, count, scan);
        if (taken.count == 0) {
          break;
        }
        shrink(memory, taken.all(), scan);
      }
    }
  }

 private:
  void shrink(MemorySystem& memory, std::span<const Pfn> pages, ScanControl& scan) {
    for (const Pfn& pfn : pages) {
      if (used_ == Used::kSpared && scan.priority > 0 && page_referenced(memory, pfn).entries != 0) {
        memory.lru().add(pfn);
        continue;
      }
      evict_pages(memory, std::span(&pfn, 1), scan);
    }
  }

  Used used_;
};

}  // namespace

std::unique_ptr<EvictionPolicy> make_clock_policy() {
  return std::make_unique<OneListPolicy>(OneListPolicy::Used::kSpared);
}
std::unique_ptr<EvictionPolicy> make_fifo_policy() {
  return std::make_unique<OneListPolicy>(OneListPolicy::Used::kNot);
}

}  // namespace fl::vm
