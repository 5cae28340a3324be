// PagePin: a page that must stay where it is, in memory, while others are allocated. Linux: get_page, put_page.
#pragma once

#include <utility>

#include "mmu/base/addr.hpp"

namespace fl::vm {

class MemorySystem;

class PagePin {
 public:
  PagePin() = default;
  PagePin(MemorySystem& memory, Pfn pfn);
  PagePin(PagePin&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)), pfn_(other.pfn_) {}
  PagePin& operator=(PagePin&&) = delete;
  Pfn pfn() const { return pfn_; }
  // Everybody else may have given the page up meanwhile: then it is freed.
  ~PagePin() {
    if (memory_ != nullptr) {
      unpin();
    }
  }

 private:
  void unpin();

  MemorySystem* memory_ = nullptr;  // null: nothing
  Pfn pfn_;
};

}  // namespace fl::vm
