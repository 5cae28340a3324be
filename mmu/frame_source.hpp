// Where page tables get their frames. Owned by vm (the page allocator), used by mmu.
#pragma once

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"

namespace fl::mmu {

class FrameSource {
 public:
  virtual ~FrameSource() = default;
  // A zero-filled frame of low memory for one page table; ENOMEM if there is none.
  virtual Result<Pfn> alloc_table() = 0;
  virtual void free_table(Pfn pfn) = 0;
};

}  // namespace fl::mmu
