// MemCgroup: a limit for the memory of all processes together (--memory-limit), as if they ran in a memory cgroup of
// their own. Linux counterpart: struct mem_cgroup with its page_counter, lruvecs and per-CPU stock (mm/memcontrol.c).
//
// Charged are, through PageAllocator, anonymous pages, shared memory, pages that come back from swap or are read again
// from a file, and what the kernel allocates with kGfpAccount: page tables, pipe buffers. A charge that would go beyond
// the limit reclaims pages of the group, which stand on LRU lists of their own; finds it none, the OOM killer is asked.
// A charged page has PageFlag::kCharged until it is free, wherever it goes.
//
// Not charged: slab objects (Linux counts them by bytes), and pages of host files, which others have brought into the
// cache, until reclaim takes one and it has to be read again.
//
// Reclaim decides by counters that are only as new as the last flush, as on Linux: of 6.18 every two seconds, of 6.1
// whenever it begins (KernelProfile::memcg_stats_late). So a short run on 6.18 sees lists that are empty.
//
// Invariant: usage() = charged pages + stock.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "vm/phys/page_allocator.hpp"
#include "vm/reclaim/lruvec.hpp"

namespace fl::vm {

class MemorySystem;
class SlabAllocator;

class MemCgroup final : public PageCharger {
 public:
  struct Deleter {
    SlabAllocator* slab = nullptr;
    void operator()(MemCgroup* memcg) const;
  };
  using Ptr = std::unique_ptr<MemCgroup, Deleter>;
  // In kmalloc memory. ENOMEM.
  static Result<Ptr> create(MemorySystem& memory, uint64_t limit_pages);

  // PageCharger. Linux: try_charge_memcg, page_counter_uncharge.
  Status charge(Gfp gfp, uint32_t order, bool memalloc) override;
  void uncharge(uint32_t pages) override;

  // In pages. Linux: memory.limit_in_bytes (memory.max), usage_in_bytes, max_usage_in_bytes, failcnt (events: max).
  uint64_t limit() const { return limit_; }
  uint64_t usage() const { return usage_; }
  uint64_t max_usage() const { return max_usage_; }
  uint64_t failcnt() const { return failcnt_; }
  // Of them charged in advance. Linux: memcg_stock_pcp.
  uint32_t stock() const { return stock_; }

  Lruvec& lruvec(uint32_t node) { return lruvecs_[node]; }
  const Lruvec& lruvec(uint32_t node) const { return lruvecs_[node]; }

  // --- the counters that reclaim reads ---
  const LruvecState& flushed(uint32_t node) const { return flushed_[node]; }
  // Linux: mem_cgroup_flush_stats.
  void flush_stats();
  // Reclaim begins, and the kernel's flushes are not late.
  void flush_if_exact();
  // The time, at each tick. Linux: flush_memcg_stats_dwork.
  void tick(uint64_t now_ns);

 private:
  explicit MemCgroup(MemorySystem& memory, uint64_t limit_pages);
  bool try_charge_counter(uint32_t pages);
  uint64_t margin() const { return limit_ > usage_ ? limit_ - usage_ : 0; }

  MemorySystem& memory_;
  uint64_t limit_;
  uint64_t usage_ = 0;
  uint64_t max_usage_ = 0;
  uint64_t failcnt_ = 0;
  uint32_t stock_ = 0;
  uint64_t next_flush_ns_ = 0;
  std::array<Lruvec, kMaxNodes> lruvecs_;
  std::array<LruvecState, kMaxNodes> flushed_;
};

}  // namespace fl::vm
