// PageReclaim: who starts reclaim, and when it is enough: an allocation that finds no page (direct reclaim), a charge
// beyond the memory limit, kswapd when a zone falls below its low watermark, madvise, /proc. Linux counterparts:
// try_to_free_pages, kswapd, balance_pgdat, reclaim_pages, shrink_slab (mm/vmscan.c).
//
// kswapd is no task here: whoever runs the machine calls run_kswapd() between two pieces of a task's work, so that it
// comes before the task's next instruction, as a woken kswapd with an idle processor would.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "vm/phys/page_allocator.hpp"
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

  // Whether run_kswapd has something to do.
  bool kswapd_woken() const { return kswapd_highest_ >= 0; }
  // Reclaims until a zone of each node is above its high watermark again, or nothing more can be done. Linux:
  // balance_pgdat.
  void run_kswapd();

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
  void shrink_node(Node& node, ScanControl& scan);
  void shrink_lruvec(Lruvec& lruvec, ScanControl& scan);
  void balance_node(Node& node, ZoneType highest);

  MemorySystem& memory_;
  Pageout pageout_{memory_};
  std::unique_ptr<EvictionPolicy> policy_;
  uint32_t swappiness_ = 60;
  int kswapd_highest_ = -1;  // the highest zone that a sleeping allocation wanted; -1: nobody woke it
};

}  // namespace fl::vm
