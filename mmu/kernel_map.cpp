// Building the direct map.
#include "mmu/kernel_map.hpp"

#include "mmu/layout.hpp"
#include "mmu/pte.hpp"

namespace fl::mmu {
namespace {

// Linux: PAGE_KERNEL_LARGE, PAGE_KERNEL, _KERNPG_TABLE.
constexpr uint32_t kTable = Pte::kPresent | Pte::kWritable | Pte::kAccessed | Pte::kDirty;
constexpr uint32_t kPage = kTable | Pte::kGlobal;
constexpr uint32_t kLargePage = kPage | Pte::kLarge;

}  // namespace

KernelMap::KernelMap(const Ram& ram, Pfn directory, LargePages large_pages, const EarlyTable& early_table)
    : directory_(directory) {
  auto* const entries = reinterpret_cast<Pte*>(ram.frame(directory));
  for (uint32_t frame = 0; frame < ram.low_frames(); frame += kEntriesPerTable) {
    Pte& pde = entries[pgd_index(direct_map(PhysAddr(Pfn(frame))))];
    const bool whole = ram.low_frames() - frame >= kEntriesPerTable;
    if ((large_pages == LargePages::kYes && whole) || !early_table) {
      pde = Pte(Pfn(frame), kLargePage);
      ++large_pages_;
      continue;
    }
    const Pfn table = early_table();
    auto* const pages = reinterpret_cast<Pte*>(ram.frame(table));
    for (uint32_t i = 0; i < kEntriesPerTable; ++i) {
      pages[i] = frame + i < ram.low_frames() ? Pte(Pfn(frame + i), kPage) : Pte();
    }
    pde = Pte(table, kTable);
    ++table_frames_;
  }
}

KernelMap::KernelMap(const Ram& ram, Pfn directory) : KernelMap(ram, directory, LargePages::kYes, {}) {}

}  // namespace fl::mmu
