// Making and freeing the tables of an address space.
#include "mmu/page_tables.hpp"

#include <cstring>
#include <utility>

#include "mmu/kernel_map.hpp"

namespace fl::mmu {

Result<PageTables> PageTables::create(const Ram& ram, FrameSource& frames, const KernelMap& kernel) {
  FL_TRY_ASSIGN(const Pfn directory, frames.alloc_table());
  const uint32_t first = pgd_index(VirtAddr(kPageOffset));
  const auto* from = reinterpret_cast<const Pte*>(ram.frame(kernel.directory())) + first;
  std::memcpy(reinterpret_cast<Pte*>(ram.frame(directory)) + first, from, (kEntriesPerTable - first) * sizeof(Pte));
  return PageTables(ram, frames, directory);
}

PageTables::PageTables(PageTables&& other) noexcept
    : ram_(other.ram_),
      frames_(other.frames_),
      directory_(other.directory_),
      table_frames_(other.table_frames_),
      owns_(std::exchange(other.owns_, false)) {}

PageTables::~PageTables() {
  if (owns_) {
    free_tables(VirtAddr(0), kPageOffset);
    frames_->free_table(directory_);
  }
}

Result<Pte*> PageTables::find_or_create(VirtAddr va) {
  FL_CHECK(!is_kernel_address(va), "page table for {:#x}", va.value());
  Pte& pde = entries(directory_)[pgd_index(va)];
  if (!pde.hw_present()) {
    FL_TRY_ASSIGN(const Pfn table, frames_->alloc_table());
    // As Linux's _PAGE_TABLE: the directory allows everything, the table entry decides.
    pde = Pte(table, Pte::kPresent | Pte::kWritable | Pte::kUser | Pte::kAccessed | Pte::kDirty);
    ++table_frames_;
  }
  return entries(pde.pfn()) + pte_index(va);
}

void PageTables::free_tables(VirtAddr floor, uint64_t ceiling) {
  const uint64_t first = (uint64_t{floor.value()} + kPgdirSize - 1) >> kPgdirShift;
  const uint64_t last = ceiling >> kPgdirShift;
  for (uint64_t index = first; index < last; ++index) {
    Pte& pde = entries(directory_)[index];
    if (!pde.hw_present()) {
      continue;
    }
    const Pfn table = pde.pfn();
    pde = Pte();
    frames_->free_table(table);
    --table_frames_;
  }
}

}  // namespace fl::mmu
