// PageReclaim: who starts reclaim, and when it is enough: an allocation that finds no page (direct reclaim), a charge
// beyond the memory limit, kswapd when a zone falls below its low watermark, madvise, /proc. Linux counterparts:
// try_to_free_pages, shrink_node, reclaim_pages, shrink_slab (mm/vmscan.c). What kswapd does is in kswapd.hpp.
//
// Whoever runs the machine gives the kswapds the processor (run_kswapd), between two pieces of a task's work.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "vm/phys/page_allocator.hpp"
#include "vm/reclaim/kswapd.hpp"
#include "vm/reclaim/pageout.hpp"
#include "vm/reclaim/policy.hpp"

namespace fl::vm {

class MemorySystem;

class PageReclaim final : public Reclaimer {
 public:
  explicit PageReclaim(MemorySystem& memory);
  ~PageReclaim() override;

  // Reclaimer: for an allocation. Pages freed.
  uint32_t try_to_free_pages(Gfp gfp, uint32_t order, ZoneType highest) override;
  void wakeup_kswapd(ZoneType highest) override;
  // For a charge of `pages` that met the group's limit. Pages freed. Linux: try_to_free_mem_cgroup_pages.
  uint32_t try_to_free_mem_cgroup_pages(MemCgroup& memcg, uint32_t pages, Gfp gfp);

  // Some node's kswapd was woken, or its wait is over.
  bool kswapd_runnable() const { return runnable_kswapds_ != 0; }
  bool kswapd_runnable(uint32_t node) const { return (runnable_kswapds_ >> node & 1) != 0; }
  // That one works until it sleeps: until it is woken (none), or until then, when end_kswapd_wait has to be called.
  std::optional<uint64_t> run_kswapd(uint32_t node);
  void end_kswapd_wait(uint32_t node) { runnable_kswapds_ |= NodeMask{1} << node; }
  // All of them, waiting for the disk, until none has anything to do: for who has no scheduler.
  void run_kswapds();

  // --- for kswapd ---
  // One pass at scan.priority over a node's lists, and its slabs.
  void shrink_node(Node& node, ScanControl& scan);
  void age_node(Node& node, ScanControl& scan);

  // What has been written and is not done.
  Pageout& pageout() { return pageout_; }

  // Evicts these pages whatever they are used for (MADV_PAGEOUT). Linux: reclaim_pages.
  void reclaim_pages(std::span<const Pfn> pages);

  // /proc/sys/vm/swappiness, 0 to 200.
  uint32_t swappiness() const { return swappiness_; }
  void set_swappiness(uint32_t value) { swappiness_ = value; }
  void set_policy(std::unique_ptr<EvictionPolicy> policy) { policy_ = std::move(policy); }

 private:
  uint32_t do_try_to_free_pages(ScanControl scan);
  void shrink_node_memcgs(Node& node, ScanControl& scan);
  void shrink_lruvec(Lruvec& lruvec, ScanControl& scan);

  MemorySystem& memory_;
  Pageout pageout_{memory_};
  std::unique_ptr<EvictionPolicy> policy_;
  uint32_t swappiness_ = 60;
  std::vector<Kswapd> kswapds_;  // of each node
  NodeMask runnable_kswapds_ = 0;
};

}  // namespace fl::vm
