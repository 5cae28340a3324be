// SwapClusters: which part of a swap area the next slots come from, in kernels since 6.13. Linux counterpart: struct
// swap_cluster_info and the cluster lists of struct swap_info_struct (mm/swapfile.c).
//
// An area is divided into clusters of 512 slots. Slots are given out one after the other within a cluster; then comes
// the one that has had slots freed for longest (kNonfull), then one that is wholly free, then one that has been
// searched in vain (kFrag). Each cluster is on one list, or isolated while it is searched.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "mmu/base/result.hpp"
#include "vm/kernel_space/vmalloc.hpp"

namespace fl::vm {

class SwapClusters {
 public:
  // Linux: SWAPFILE_CLUSTER with CONFIG_THP_SWAP.
  static constexpr uint32_t kSlots = 512;
  // Linux: CLUSTER_FLAG_*.
  enum class List : uint8_t { kIsolated, kFree, kNonfull, kFrag, kFull };

  // For slots 1 to max - 1 without the bad ones. ENOMEM. Linux: setup_clusters.
  static Result<SwapClusters> create(Vmalloc& vmalloc, uint32_t max, std::span<const uint32_t> bad);

  static constexpr uint32_t cluster_of(uint32_t offset) { return offset / kSlots; }
  static constexpr uint32_t first_slot(uint32_t cluster) { return cluster * kSlots; }
  bool full(uint32_t cluster) const { return info_[cluster].count == kSlots; }
  bool empty(uint32_t cluster) const { return info_[cluster].count == 0; }

  // The slot where the search goes on; 0: in another cluster. Linux: global_cluster->next, percpu_swap_cluster.
  uint32_t next() const { return next_; }
  void set_next(uint32_t offset) { next_ = offset; }

  // The first cluster of a list, off it. Linux: isolate_lock_cluster.
  std::optional<uint32_t> isolate(List list);
  // A slot was taken, or is free.
  void note_taken(uint32_t offset) { ++info_[cluster_of(offset)].count; }
  void note_free(uint32_t offset);
  // The cluster has been searched: to the list where it belongs. Linux: relocate_cluster.
  void relocate(uint32_t cluster);

 private:
  static constexpr uint32_t kNone = ~0u;
  struct Info {
    uint32_t prev, next;
    uint16_t count;
    List list;
  };
  struct Ends {
    uint32_t first = kNone, last = kNone;
  };
  explicit SwapClusters(VmallocArray<Info> info) : info_(std::move(info)) {}
  void move(uint32_t cluster, List list);

  VmallocArray<Info> info_;
  std::array<Ends, 5> lists_;
  uint32_t next_ = 0;
};

}  // namespace fl::vm
