// FaultedPages: what one instruction has faulted in so far. It may need several pages at once (six and more, when code
// and both operands cross a page); on a machine with few free frames the fault for one could evict the other, for ever.
// Reclaim spares these. Linux has no counterpart: there an instruction finds its pages again because a reclaimed page
// takes longer to go than the others take to come.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "mmu/base/addr.hpp"

namespace fl::vm {

class FaultedPages {
 public:
  static constexpr uint32_t kMost = 8;

  // The instruction is over, or another one faults.
  void clear() { count_ = 0; }
  void note(Pfn pfn) {
    frames_[count_ % kMost] = pfn;
    ++count_;
  }
  // The last ones.
  std::span<const Pfn> all() const { return std::span(frames_).first(std::min(count_, kMost)); }
  bool contains(Pfn pfn) const {
    const auto frames = all();
    return std::find(frames.begin(), frames.end(), pfn) != frames.end();
  }

 private:
  std::array<Pfn, kMost> frames_;
  uint32_t count_ = 0;
};

}  // namespace fl::vm
