// The lists of clusters.
#include "vm/swap/swap_clusters.hpp"

#include "mmu/base/check.hpp"

namespace fl::vm {

Result<SwapClusters> SwapClusters::create(Vmalloc& vmalloc, uint32_t max, std::span<const uint32_t> bad) {
  const uint32_t clusters = (max + kSlots - 1) / kSlots;
  FL_TRY_ASSIGN(VmallocArray<Info> info, VmallocArray<Info>::create(vmalloc, clusters, "setup_clusters"));
  SwapClusters made(std::move(info));
  // What can never be given out counts as taken: the header, bad pages, what lies behind the end.
  made.note_taken(0);
  for (const uint32_t page : bad) {
    made.note_taken(page);
  }
  for (uint32_t offset = max; offset < clusters * kSlots; ++offset) {
    made.note_taken(offset);
  }
  for (uint32_t cluster = 0; cluster < clusters; ++cluster) {
    made.move(cluster, made.empty(cluster) ? List::kFree : made.full(cluster) ? List::kFull : List::kNonfull);
  }
  return made;
}

// To the end of the list.
void SwapClusters::move(uint32_t cluster, List list) {
  Info& info = info_[cluster];
  if (info.list != List::kIsolated) {
    Ends& from = lists_[static_cast<size_t>(info.list)];
    (info.prev == kNone ? from.first : info_[info.prev].next) = info.next;
    (info.next == kNone ? from.last : info_[info.next].prev) = info.prev;
  }
  info.list = list;
  if (list != List::kIsolated) {
    Ends& to = lists_[static_cast<size_t>(list)];
    info.prev = to.last;
    info.next = kNone;
    (to.last == kNone ? to.first : info_[to.last].next) = cluster;
    to.last = cluster;
  }
}

std::optional<uint32_t> SwapClusters::isolate(List list) {
  const uint32_t cluster = lists_[static_cast<size_t>(list)].first;
  if (cluster == kNone) {
    return std::nullopt;
  }
  move(cluster, List::kIsolated);
  return cluster;
}

void SwapClusters::note_free(uint32_t offset) {
  const uint32_t cluster = cluster_of(offset);
  Info& info = info_[cluster];
  FL_CHECK(info.count > 0, "a slot of the free cluster {} is freed", cluster);
  --info.count;
  const List list = info.count == 0 ? List::kFree : List::kNonfull;
  if (info.list != list) {
    move(cluster, list);
  }
}

void SwapClusters::relocate(uint32_t cluster) {
  const List list = empty(cluster) ? List::kFree : full(cluster) ? List::kFull : List::kFrag;
  if (info_[cluster].list != list) {
    move(cluster, list);
  }
}

}  // namespace fl::vm
