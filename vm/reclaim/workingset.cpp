// Packing and unpacking shadows, and the distance that decides.
#include "vm/reclaim/workingset.hpp"

#include "vm/memory_system.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {
namespace {

constexpr uint32_t kAgeBits = 26;
constexpr uint32_t kAgeMask = (1u << kAgeBits) - 1;
constexpr uint32_t kNodeMask = 7;
constexpr uint32_t kActiveBit = 1;
constexpr uint32_t kChargedBit = 2;
constexpr uint32_t kNodeShift = 2;
constexpr uint32_t kAgeShift = 5;

NodeStat by_kind(NodeStat anon, bool file) {
  return static_cast<NodeStat>(static_cast<uint32_t>(anon) + (file ? 1 : 0));
}

// Pages that compete with the one that came back: those that are kept although it went.
uint64_t workingset_size(MemorySystem& memory, const Lruvec& lruvec, bool file) {
  const LruvecState state = Lru::state(lruvec);
  uint64_t size = state[LruList::kActiveFile];
  if (!file) {
    size += state[LruList::kInactiveFile];
  }
  if (memory.swap().nr_swap_pages() > 0) {
    size += state[LruList::kActiveAnon];
    if (file) {
      size += state[LruList::kInactiveAnon];
    }
  }
  return size;
}

}  // namespace

uint32_t workingset_eviction(MemorySystem& memory, const Page& page) {
  Lruvec& lruvec = memory.lru().lruvec_of(page);
  const auto age = static_cast<uint32_t>(lruvec.nonresident_age) & kAgeMask;
  Lru::age_nonresident(lruvec);
  return age << kAgeShift | page.node() << kNodeShift | (page.has(PageFlag::kCharged) ? kChargedBit : 0) |
         (page.has(PageFlag::kWorkingset) ? kActiveBit : 0);
}

void workingset_refault(MemorySystem& memory, Pfn pfn, uint32_t shadow) {
  Page& page = memory.page(pfn);
  const bool file = !page.has(PageFlag::kSwapBacked);
  const bool was_active = (shadow & kActiveBit) != 0;
  Node& evicted_from = memory.pages().nodes()[(shadow >> kNodeShift & kNodeMask) % memory.pages().nodes().size()];
  const Lruvec& then = (shadow & kChargedBit) != 0 && memory.memcg() != nullptr
                           ? memory.memcg()->lruvec(evicted_from.id)
                           : evicted_from.lruvec;
  const auto now = static_cast<uint32_t>(then.nonresident_age);
  const uint32_t distance = (now - (shadow >> kAgeShift)) & kAgeMask;
  // The page counts where it is now.
  Lruvec& lruvec = memory.lru().lruvec_of(page);
  Node& node = *lruvec.node;
  node.stat.add(by_kind(NodeStat::kWorkingsetRefaultAnon, file), 1);
  if (distance > workingset_size(memory, then, file)) {
    return;
  }
  page.set(PageFlag::kActive);
  Lru::age_nonresident(lruvec);
  ++lruvec.activated[file ? 1 : 0];
  node.stat.add(by_kind(NodeStat::kWorkingsetActivateAnon, file), 1);
  if (was_active) {
    page.set(PageFlag::kWorkingset);
    memory.lru().note_cost(lruvec, file, 1, 0);
    node.stat.add(by_kind(NodeStat::kWorkingsetRestoreAnon, file), 1);
  }
}

void snapshot_refaults(MemorySystem& memory, MemCgroup* memcg) {
  for (Node& node : memory.pages().nodes()) {
    Lruvec& lruvec = memcg != nullptr ? memcg->lruvec(node.id) : node.lruvec;
    lruvec.refaults = Lru::state(lruvec).activated;
  }
}

}  // namespace fl::vm
