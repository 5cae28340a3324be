// KernelSpace: the part of the kernel's addresses above its direct map: vmalloc, the kmap window and the fixmap, with
// their page tables in simulated RAM. A kernel address is followed as the processor would: through the current
// directory's tables.
//
// The kernel's directory (init_mm's) is the model of all others. The tables of the kmap window and of the fixmap exist
// from boot on, so that every directory is made with them; a table for vmalloc appears later, and a directory made
// before gets the entry when it is first needed (vmalloc_fault). Linux counterparts: init_mm, pagetable_init,
// vmalloc_fault (arch/x86/mm/fault.c), pte_offset_kernel, vmalloc_to_page.
#pragma once

#include <cstddef>
#include <cstdint>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "mmu/kernel_map.hpp"
#include "mmu/layout.hpp"
#include "mmu/mmu.hpp"
#include "mmu/pte.hpp"
#include "mmu/ram.hpp"
#include "vm/kernel_space/direct_map.hpp"
#include "vm/phys/page_allocator.hpp"

namespace fl::vm {

// Rights of a kernel page. Linux: PAGE_KERNEL.
inline constexpr uint32_t kPageKernel =
    mmu::Pte::kPresent | mmu::Pte::kWritable | mmu::Pte::kAccessed | mmu::Pte::kDirty | mmu::Pte::kGlobal;

class KernelSpace {
 public:
  // Takes two frames for the tables of the kmap window and the fixmap; that RAM has them is MemorySystem's check.
  KernelSpace(const mmu::Ram& ram, mmu::Mmu& mmu, const mmu::KernelMap& kernel_map, PageAllocator& pages);
  KernelSpace(const KernelSpace&) = delete;
  KernelSpace& operator=(const KernelSpace&) = delete;

  // The first address of the vmalloc area. Linux: VMALLOC_START.
  VirtAddr vmalloc_start() const {
    return VirtAddr(mmu::kPageOffset + (ram_.low_frames() << kPageShift) + mmu::kVmallocOffset);
  }
  bool is_vmalloc_addr(VirtAddr va) const { return va >= vmalloc_start() && va.value() < mmu::kVmallocEnd; }
  bool in_direct_map(VirtAddr va) const {
    return va.value() >= mmu::kPageOffset && va.value() - mmu::kPageOffset < uint64_t{ram_.low_frames()} << kPageShift;
  }

  // --- the kernel's own page tables ---
  // The entry of an address above the direct map in init_mm; null while its table does not exist.
  mmu::Pte* find_pte(VirtAddr va) const;
  // The same; makes the table first if need be. ENOMEM. Linux: pte_alloc_kernel.
  Result<mmu::Pte*> find_or_create_pte(VirtAddr va);
  // Frames of page tables above the direct map. They stay for ever, as in Linux.
  uint32_t table_frames() const { return table_frames_; }
  // Copies the directory entry of a vmalloc address from init_mm; false: init_mm has none either.
  bool vmalloc_fault(Pfn directory, VirtAddr va);

  // --- following kernel addresses ---
  // The byte at a kernel address, by the processor's walk of the current directory. An address that is not mapped is
  // our own bug, as an oops is.
  std::byte* pointer(VirtAddr va);
  // The frame that stands at a kernel address, by a walk of init_mm. Linux: vmalloc_to_pfn, virt_to_pfn.
  Result<Pfn> frame_of(VirtAddr va) const;

  const mmu::Ram& ram() const { return ram_; }
  PageAllocator& pages() { return pages_; }
  const DirectMap& direct_map() const { return direct_map_; }
  // Processes' directories that were completed by vmalloc_fault so far.
  uint64_t vmalloc_faults() const { return vmalloc_faults_; }

 private:
  mmu::Pte& directory_entry(Pfn directory, VirtAddr va) const;
  Pfn current_directory() const;

  const mmu::Ram& ram_;
  mmu::Mmu& mmu_;
  const mmu::KernelMap& kernel_map_;
  PageAllocator& pages_;
  DirectMap direct_map_;
  uint32_t table_frames_ = 0;
  uint64_t vmalloc_faults_ = 0;
};

}  // namespace fl::vm
