// The kernel's page tables above the direct map, and following addresses through them.
#include "vm/kernel_space/kernel_space.hpp"

#include "mmu/base/check.hpp"
#include "vm/kernel_space/fixmap.hpp"

namespace fl::vm {
namespace {

using mmu::Pte;

// As Linux's _KERNPG_TABLE.
constexpr uint32_t kKernelTable = Pte::kPresent | Pte::kWritable | Pte::kAccessed | Pte::kDirty;

}  // namespace

KernelSpace::KernelSpace(const mmu::Ram& ram, mmu::Mmu& mmu, const mmu::KernelMap& kernel_map, PageAllocator& pages)
    : ram_(ram), mmu_(mmu), kernel_map_(kernel_map), pages_(pages), direct_map_(ram) {
  for (const VirtAddr va : {VirtAddr(mmu::kPkmapBase), fix_to_virt(kFixKmapBegin)}) {
    FL_CHECK(find_or_create_pte(va).has_value(), "no memory for the kernel's page tables");
  }
}

Pte& KernelSpace::directory_entry(Pfn directory, VirtAddr va) const {
  return reinterpret_cast<Pte*>(ram_.frame(directory))[mmu::pgd_index(va)];
}

Pte* KernelSpace::find_pte(VirtAddr va) const {
  const Pte pde = directory_entry(kernel_map_.directory(), va);
  return pde.hw_present() && !pde.large() ? reinterpret_cast<Pte*>(ram_.frame(pde.pfn())) + mmu::pte_index(va)
                                          : nullptr;
}

Result<Pte*> KernelSpace::find_or_create_pte(VirtAddr va) {
  FL_CHECK(mmu::is_kernel_address(va) && !in_direct_map(va), "kernel page table for {:#x}", va.value());
  Pte& pde = directory_entry(kernel_map_.directory(), va);
  if (!pde.hw_present()) {
    FL_TRY_ASSIGN(const Pfn table, pages_.alloc_pages(kGfpKernel | kGfpZero));
    pde = Pte(table, kKernelTable);
    ++table_frames_;
  }
  return reinterpret_cast<Pte*>(ram_.frame(pde.pfn())) + mmu::pte_index(va);
}

bool KernelSpace::vmalloc_fault(Pfn directory, VirtAddr va) {
  const Pte model = directory_entry(kernel_map_.directory(), va);
  Pte& pde = directory_entry(directory, va);
  if (!is_vmalloc_addr(va) || !model.hw_present() || pde.hw_present()) {
    return false;
  }
  pde = model;
  ++vmalloc_faults_;
  return true;
}

// Between two processes, and in tests without any, the kernel runs on its own directory.
Pfn KernelSpace::current_directory() const { return mmu_.cr3() == Pfn() ? kernel_map_.directory() : mmu_.cr3(); }

std::byte* KernelSpace::pointer(VirtAddr va) {
  if (in_direct_map(va)) {
    return direct_map_.pointer<std::byte>(va);
  }
  // The tables of kmap and fixmap stand in all directories alike; those of vmalloc may have to come first.
  const Pfn directory = is_vmalloc_addr(va) ? current_directory() : kernel_map_.directory();
  Pte pde = directory_entry(directory, va);
  if (!pde.hw_present() && vmalloc_fault(directory, va)) {
    pde = directory_entry(directory, va);
  }
  FL_CHECK(pde.hw_present(), "kernel address {:#010x} has no page table", va.value());
  const Pte pte = reinterpret_cast<const Pte*>(ram_.frame(pde.pfn()))[mmu::pte_index(va)];
  FL_CHECK(pte.hw_present(), "kernel address {:#010x} is not mapped", va.value());
  return ram_.physical(pte.pfn()) + va.page_offset();
}

Result<Pfn> KernelSpace::frame_of(VirtAddr va) const {
  if (!mmu::is_kernel_address(va)) {
    return fail(Errno::kEFAULT);
  }
  const Pte pde = directory_entry(kernel_map_.directory(), va);
  if (pde.hw_present() && pde.large()) {
    return pde.pfn() + mmu::pte_index(va);
  }
  const Pte* pte = find_pte(va);
  if (pte == nullptr || !pte->hw_present()) {
    return fail(Errno::kEFAULT);
  }
  return pte->pfn();
}

}  // namespace fl::vm
