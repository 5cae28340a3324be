// PageAllocator: how everybody gets and returns frames. Today one buddy system over all of RAM; nodes, zones,
// watermarks and per-CPU lists take its place behind the same calls. Linux counterpart: alloc_pages, __free_pages.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "mmu/frame_source.hpp"
#include "mmu/ram.hpp"
#include "mmu/tlb_port.hpp"
#include "vm/phys/buddy.hpp"
#include "vm/phys/gfp.hpp"
#include "vm/phys/mem_map.hpp"

namespace fl::vm {

// Gives frames back when there are none left. Linux: try_to_free_pages.
class Reclaimer {
 public:
  virtual ~Reclaimer() = default;
  // Frees at least one frame, or returns false.
  virtual bool reclaim() = 0;
};

class PageAllocator : public mmu::FrameSource {
 public:
  PageAllocator(const mmu::Ram& ram, MemMap& mem_map, mmu::TlbPort& tlb);

  // Hands a range of frames to the allocator, once, at boot.
  void add_free_range(Pfn first, uint32_t frames);
  void set_reclaimer(Reclaimer* reclaimer) { reclaimer_ = reclaimer; }

  // 2^order adjacent frames, reference count of the first 1; reclaims if need be. They count as the kernel's own
  // (kKernel) until they become something else. Of `gfp` only kGfpZero has a meaning yet. ENOMEM.
  Result<Pfn> alloc_pages(Gfp gfp, uint32_t order = 0);
  // Gives a block back; its first frame's reference is the last one.
  void free_pages(Pfn first, uint32_t order = 0);

  // FrameSource.
  Result<Pfn> alloc_table() override;
  void free_table(Pfn pfn) override;

  uint32_t free_frames() const { return buddy_.free_frames(); }
  uint32_t managed_frames() const { return managed_frames_; }
  uint32_t table_frames() const { return table_frames_; }
  // Highest number of frames in use so far.
  uint32_t peak_used() const { return peak_used_; }
  const Buddy& buddy() const { return buddy_; }

  // Tests: the n-th allocation from now fails (1 = the next). 0 = none.
  void fail_allocation(uint32_t n) { fail_countdown_ = n; }

 private:
  const mmu::Ram& ram_;
  MemMap& mem_map_;
  mmu::TlbPort& tlb_;
  Buddy buddy_;
  Reclaimer* reclaimer_ = nullptr;
  uint32_t managed_frames_ = 0;
  uint32_t table_frames_ = 0;
  uint32_t peak_used_ = 0;
  uint32_t fail_countdown_ = 0;
};

}  // namespace fl::vm
