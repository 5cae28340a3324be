// PagePin: a page that must stay where it is, in memory, while others are allocated. Linux: get_page, put_page.
#pragma once

#include <utility>

#include "mmu/base/check.hpp"
#include "vm/phys/mem_map.hpp"

namespace fl::vm {

// Never the last reference: whoever gives the page up while it is pinned must still have one when the pin ends.
class PagePin {
 public:
  PagePin() = default;
  PagePin(const MemMap& map, Pfn pfn) : map_(&map), pfn_(pfn) {
    ++map[pfn].refcount;
    ++map.pins();
  }
  PagePin(PagePin&& other) noexcept : map_(std::exchange(other.map_, nullptr)), pfn_(other.pfn_) {}
  PagePin& operator=(PagePin&&) = delete;
  ~PagePin() {
    if (map_ != nullptr) {
      Page& page = (*map_)[pfn_];
      FL_CHECK(page.refcount > 1, "frame {:#x}: the last reference is a pin", pfn_.value());
      --page.refcount;
      --map_->pins();
    }
  }

 private:
  const MemMap* map_ = nullptr;  // null: nothing
  Pfn pfn_;
};

}  // namespace fl::vm
