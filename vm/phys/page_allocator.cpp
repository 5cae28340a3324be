// Getting and returning frames.
#include "vm/phys/page_allocator.hpp"

#include <algorithm>
#include <cstring>

namespace fl::vm {

PageAllocator::PageAllocator(const mmu::Ram& ram, MemMap& mem_map, mmu::TlbPort& tlb)
    : ram_(ram), mem_map_(mem_map), tlb_(tlb), buddy_(mem_map) {}

void PageAllocator::add_free_range(Pfn first, uint32_t frames) {
  for (uint32_t i = 0; i < frames; ++i) {
    mem_map_[first + i].set(PageFlag::kZeroed);
  }
  managed_frames_ += frames;
  buddy_.add_range(first, frames);
}

Result<Pfn> PageAllocator::alloc_pages(Gfp gfp, uint32_t order) {
  if (fail_countdown_ != 0 && --fail_countdown_ == 0) {
    return fail(Errno::kENOMEM);
  }
  uint32_t frame = buddy_.alloc(order);
  while (frame == kNoPage) {
    if (reclaimer_ == nullptr || !reclaimer_->reclaim()) {
      return fail(Errno::kENOMEM);
    }
    frame = buddy_.alloc(order);
  }
  const Pfn first(frame);
  for (uint32_t i = 0; i < (1u << order); ++i) {
    Page& page = mem_map_[first + i];
    FL_CHECK(page.refcount == 0 && page.mapcount == 0, "frame {:#x} was free with refcount {}, mapcount {}",
             (first + i).value(), page.refcount, page.mapcount);
    if (gfp.has(kGfpZero) && !page.has(PageFlag::kZeroed)) {
      std::memset(ram_.frame(first + i), 0, kPageSize);
    }
    page.become(PageFlag::kKernel);
    page.private_ = 0;
  }
  mem_map_[first].refcount = 1;
  peak_used_ = std::max(peak_used_, managed_frames_ - buddy_.free_frames());
  return first;
}

void PageAllocator::free_pages(Pfn first, uint32_t order) {
  // A free frame has no references, wherever in its block it stands, so a second free shows here.
  FL_CHECK(mem_map_[first].refcount == 1, "freeing frame {:#x} with refcount {}", first.value(),
           mem_map_[first].refcount);
  for (uint32_t i = 0; i < (1u << order); ++i) {
    Page& page = mem_map_[first + i];
    FL_CHECK(page.mapcount == 0 && !page.has(PageFlag::kReserved | PageFlag::kCache),
             "freeing frame {:#x} with mapcount {}, flags {:#x}", (first + i).value(), page.mapcount, page.flags);
    page.become(0);
    page.refcount = 0;
    tlb_.code_changed(first + i);
  }
  buddy_.free(first, order);
}

Result<Pfn> PageAllocator::alloc_table() {
  FL_TRY_ASSIGN(const Pfn pfn, alloc_pages(kGfpKernel | kGfpZero));
  mem_map_[pfn].become(PageFlag::kTable);
  ++table_frames_;
  return pfn;
}

void PageAllocator::free_table(Pfn pfn) {
  --table_frames_;
  free_pages(pfn);
}

}  // namespace fl::vm
