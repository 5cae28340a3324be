// Building the direct map.
#include "mmu/kernel_map.hpp"

#include <algorithm>

#include "mmu/layout.hpp"
#include "mmu/pte.hpp"

namespace fl::mmu {

KernelMap::KernelMap(const Ram& ram, Pfn directory) : directory_(directory) {
  auto* entries = reinterpret_cast<Pte*>(ram.frame(directory));
  const uint64_t low_bytes = std::min<uint64_t>(ram.bytes(), kLowMemoryLimit);
  for (uint64_t at = 0; at < low_bytes; at += kPgdirSize) {
    const PhysAddr pa(static_cast<uint32_t>(at));
    entries[pgd_index(direct_map(pa))] =
        Pte(pa.pfn(), Pte::kPresent | Pte::kWritable | Pte::kLarge | Pte::kAccessed | Pte::kDirty | Pte::kGlobal);
  }
}

}  // namespace fl::mmu
