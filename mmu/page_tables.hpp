// The page tables of one address space: a directory and its tables, in frames of simulated RAM.
//
// Entries >= kPageOffset of every directory are copied from the kernel's directory when it is made (KernelMap), so the
// kernel's half is the same in all of them. Tables are made on demand and freed by range when the kernel unmaps.
// Linux counterparts: pgd_alloc, pte_alloc_map, free_pgtables. Not thread-safe; nothing here flushes the TLB.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "mmu/frame_source.hpp"
#include "mmu/layout.hpp"
#include "mmu/pte.hpp"
#include "mmu/ram.hpp"

namespace fl::mmu {

class KernelMap;

class PageTables {
 public:
  // A directory with an empty user half. ENOMEM if there is no frame.
  static Result<PageTables> create(const Ram& ram, FrameSource& frames, const KernelMap& kernel);
  PageTables(PageTables&& other) noexcept;
  PageTables& operator=(PageTables&&) = delete;
  // Frees every table and the directory. The caller has cleared all entries.
  ~PageTables();

  Pfn directory() const { return directory_; }
  // Frames that hold user page tables, without the directory. Linux: mm->pgtables_bytes.
  uint32_t table_frames() const { return table_frames_; }

  // The entry of a user address, or null while its table does not exist.
  Pte* find(VirtAddr va) const {
    const Pte pde = entries(directory_)[pgd_index(va)];
    return pde.hw_present() ? entries(pde.pfn()) + pte_index(va) : nullptr;
  }
  // The entry of a user address; makes its table first if need be.
  Result<Pte*> find_or_create(VirtAddr va);
  // The first entry of the table that maps va, or null. For loops over ranges.
  Pte* table(VirtAddr va) const {
    const Pte pde = entries(directory_)[pgd_index(va)];
    return pde.hw_present() ? entries(pde.pfn()) : nullptr;
  }
  // The directory entry of va (for dumps).
  Pte directory_entry(VirtAddr va) const { return entries(directory_)[pgd_index(va)]; }

  // Frees the tables that lie wholly inside [floor, ceiling). Their entries must all be empty. Linux: free_pgd_range.
  void free_tables(VirtAddr floor, uint64_t ceiling);

  // Calls visit(VirtAddr, Pte&) for every entry that is not empty in [start, end), in ascending order; skips absent
  // tables.
  template <typename Visit>
  void for_each(VirtAddr start, uint64_t end, Visit&& visit) const {
    uint64_t va = start.value();
    while (va < end) {
      const uint64_t table_end = (va & ~uint64_t{kPgdirSize - 1}) + kPgdirSize;
      const uint64_t stop = table_end < end ? table_end : end;
      Pte* pte = find(VirtAddr(static_cast<uint32_t>(va)));
      if (pte != nullptr) {
        for (uint64_t at = va; at < stop; at += kPageSize, ++pte) {
          if (!pte->none()) {
            visit(VirtAddr(static_cast<uint32_t>(at)), *pte);
          }
        }
      }
      va = stop;
    }
  }

 private:
  PageTables(const Ram& ram, FrameSource& frames, Pfn directory)
      : ram_(&ram), frames_(&frames), directory_(directory) {}
  Pte* entries(Pfn pfn) const { return reinterpret_cast<Pte*>(ram_->frame(pfn)); }

  const Ram* ram_;
  FrameSource* frames_;
  Pfn directory_;
  uint32_t table_frames_ = 0;
  bool owns_ = true;
};

}  // namespace fl::mmu
