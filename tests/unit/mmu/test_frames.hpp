// A frame source for tests of page tables: hands out frames of a Ram in order and counts what is out.
#pragma once

#include <cstring>
#include <set>

#include "mmu/base/check.hpp"
#include "mmu/frame_source.hpp"
#include "mmu/ram.hpp"

namespace fl::mmu::test {

class TestFrames final : public FrameSource {
 public:
  explicit TestFrames(const Ram& ram) : ram_(ram) {
    for (uint32_t frame = 2; frame < ram.frames(); ++frame) {
      free_.insert(frame);
    }
  }
  Result<Pfn> alloc_table() override {
    if (free_.empty() || (fail_after == 0)) {
      return fail(Errno::kENOMEM);
    }
    fail_after -= fail_after > 0 ? 1 : 0;
    const uint32_t frame = *free_.begin();
    free_.erase(free_.begin());
    used.insert(frame);
    std::memset(ram_.frame(Pfn(frame)), 0, kPageSize);
    return Pfn(frame);
  }
  void free_table(Pfn pfn) override {
    FL_CHECK(used.erase(pfn.value()) == 1);
    free_.insert(pfn.value());
  }

  std::set<uint32_t> used;
  int fail_after = -1;  // allocations that still succeed; -1: all

 private:
  const Ram& ram_;
  std::set<uint32_t> free_;
};

}  // namespace fl::mmu::test
