// The kernel's half of every address space: the direct map of low memory at kPageOffset.
//
// One directory (Linux: swapper_pg_dir) maps low memory with 4 MiB pages, supervisor-only. It lives in a frame that the
// caller reserves at boot. vmalloc, pkmap and the fixmap come with the kernel's own allocators.
#pragma once

#include "mmu/base/addr.hpp"
#include "mmu/ram.hpp"

namespace fl::mmu {

class KernelMap {
 public:
  // Fills the (zeroed) frame `directory` with the direct map of min(RAM, 896 MiB), rounded up to 4 MiB.
  KernelMap(const Ram& ram, Pfn directory);
  Pfn directory() const { return directory_; }

 private:
  Pfn directory_;
};

}  // namespace fl::mmu
