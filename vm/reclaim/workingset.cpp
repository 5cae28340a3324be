// Packing and unpacking shadows, and the distance that decides.
#include "vm/reclaim/workingset.hpp"

#include "vm/memory_system.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {
namespace {

constexpr uint32_t kAgeBits = 27;
constexpr uint32_t kAgeMask = (1u << kAgeBits) - 1;
constexpr uint32_t kNodeMask = 7;

NodeStat by_kind(NodeStat anon, bool file) {
  return static_cast<NodeStat>(static_cast<uint32_t>(anon) + (file ? 1 : 0));
}

// Pages that compete with the one that came back: those that are kept although it went.
uint64_t workingset_size(MemorySystem& memory, const Node& node, bool file) {
  uint64_t size = Lru::size(node, LruList::kActiveFile);
  if (!file) {
    size += Lru::size(node, LruList::kInactiveFile);
  }
  if (memory.swap().nr_swap_pages() > 0) {
    size += Lru::size(node, LruList::kActiveAnon);
    if (file) {
      size += Lru::size(node, LruList::kInactiveAnon);
    }
  }
  return size;
}

}  // namespace

uint32_t workingset_eviction(MemorySystem& memory, const Page& page) {
  Node& node = memory.lru().node_of(page);
  const auto age = static_cast<uint32_t>(node.lruvec.nonresident_age) & kAgeMask;
  ++node.lruvec.nonresident_age;
  return (age << 3 | page.node()) << 1 | (page.has(PageFlag::kWorkingset) ? 1 : 0);
}

void workingset_refault(MemorySystem& memory, Pfn pfn, uint32_t shadow) {
  Page& page = memory.page(pfn);
  const bool file = !page.has(PageFlag::kSwapBacked);
  const bool was_active = (shadow & 1) != 0;
  Node& node = memory.pages().nodes()[(shadow >> 1 & kNodeMask) % memory.pages().nodes().size()];
  const auto now = static_cast<uint32_t>(node.lruvec.nonresident_age);
  const uint32_t distance = (now - (shadow >> 4)) & kAgeMask;
  node.stat.add(by_kind(NodeStat::kWorkingsetRefaultAnon, file), 1);
  if (distance > workingset_size(memory, node, file)) {
    return;
  }
  page.set(PageFlag::kActive);
  ++node.lruvec.nonresident_age;
  node.stat.add(by_kind(NodeStat::kWorkingsetActivateAnon, file), 1);
  if (was_active) {
    page.set(PageFlag::kWorkingset);
    memory.lru().note_cost(node, file, 1);
    node.stat.add(by_kind(NodeStat::kWorkingsetRestoreAnon, file), 1);
  }
}

void snapshot_refaults(MemorySystem& memory) {
  for (Node& node : memory.pages().nodes()) {
    node.lruvec.refaults = {node.stat[NodeStat::kWorkingsetActivateAnon], node.stat[NodeStat::kWorkingsetActivateFile]};
  }
}

}  // namespace fl::vm
