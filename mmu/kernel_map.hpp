// The kernel's half of every address space: the direct map of low memory at kPageOffset.
//
// One directory (Linux: swapper_pg_dir) maps low memory, supervisor-only: with 4 MiB pages if the processor has them
// (PSE), and what is less than 4 MiB at the end, or everything without PSE, through page tables. It lives in frames
// that the caller gives at boot. vmalloc, the kmap window and the fixmap get their tables later, from vm. Linux
// counterpart: kernel_physical_mapping_init (arch/x86/mm/init_32.c).
#pragma once

#include <cstdint>
#include <functional>

#include "mmu/base/addr.hpp"
#include "mmu/ram.hpp"

namespace fl::mmu {

// Whether the processor maps 4 MiB with one directory entry. Linux: X86_FEATURE_PSE.
enum class LargePages : uint8_t { kNo, kYes };

class KernelMap {
 public:
  // Gives a frame of low memory for a table; it need not be zero.
  using EarlyTable = std::function<Pfn()>;

  // Fills the (zeroed) frame `directory` with the direct map of all low memory.
  KernelMap(const Ram& ram, Pfn directory, LargePages large_pages, const EarlyTable& early_table);
  // The same with large pages only, the last of which may reach beyond low memory.
  KernelMap(const Ram& ram, Pfn directory);

  Pfn directory() const { return directory_; }
  // Page tables of the direct map.
  uint32_t table_frames() const { return table_frames_; }
  uint32_t large_pages() const { return large_pages_; }

 private:
  Pfn directory_;
  uint32_t table_frames_ = 0;
  uint32_t large_pages_ = 0;
};

}  // namespace fl::mmu
