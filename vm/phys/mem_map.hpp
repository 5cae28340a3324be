// MemMap: the array of struct page, one for each frame of RAM, in simulated RAM. Linux counterpart: mem_map (FLATMEM).
#pragma once

#include <span>

#include "mmu/base/addr.hpp"
#include "mmu/base/check.hpp"
#include "mmu/ram.hpp"
#include "vm/phys/page.hpp"

namespace fl::vm {

class MemMap {
 public:
  // The array starts at frame `at` and must lie in frames that are reserved.
  MemMap(const mmu::Ram& ram, Pfn at) : pages_(reinterpret_cast<Page*>(ram.frame(at)), ram.frames()) {}
  // Frames that an array for `frames` frames takes.
  static constexpr uint32_t frames_needed(uint32_t frames) {
    return static_cast<uint32_t>(pages_for(uint64_t{frames} * sizeof(Page)));
  }

  Page& operator[](Pfn pfn) const {
    FL_CHECK(pfn.value() < pages_.size(), "struct page of frame {:#x}", pfn.value());
    return pages_[pfn.value()];
  }
  // A compound page (__GFP_COMP) is named by its first frame. The tails' private_ and the first tail's index belong to
  // it. Linux: compound_head, compound_order.
  Pfn compound_head(Pfn pfn) const {
    const Page& page = (*this)[pfn];
    return page.has(PageFlag::kTail) ? Pfn(page.private_) : pfn;
  }
  uint32_t compound_order(Pfn head) const { return (*this)[head].has(PageFlag::kHead) ? (*this)[head + 1].index : 0; }
  Pfn pfn_of(const Page& page) const { return Pfn(static_cast<uint32_t>(&page - pages_.data())); }
  // References that PagePin holds, over all pages. For verification.
  uint32_t& pins() const { return pins_; }
  uint32_t size() const { return static_cast<uint32_t>(pages_.size()); }

 private:
  std::span<Page> pages_;
  mutable uint32_t pins_ = 0;
};

}  // namespace fl::vm
