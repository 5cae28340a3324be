// Finding a hole, filling it with pages, and giving both back.
#include "vm/kernel_space/vmalloc.hpp"

#include "mmu/base/check.hpp"

namespace fl::vm {

Vmalloc::Vmalloc(KernelSpace& space, SlabAllocator& slab) : space_(space), slab_(slab), areas_(slab, "vmap_area") {}

Result<VirtAddr> Vmalloc::vmalloc(uint32_t size, const char* caller, Gfp gfp) {
  const uint64_t pages = pages_for(size);
  if (pages == 0) {
    return fail(Errno::kEINVAL);
  }
  if (pages >= total_pages()) {
    return fail(Errno::kENOMEM);
  }
  FL_TRY_ASSIGN(VmStruct* const area, get_vm_area(static_cast<uint32_t>(pages + 1) << kPageShift, caller));
  if (const Status mapped = map_pages(*area, static_cast<uint32_t>(pages), gfp); !mapped) {
    unmap_pages(*area);
    remove(area);
    return fail(mapped.error());
  }
  used_pages_ += area->pages;
  return area->addr;
}

void Vmalloc::vfree(VirtAddr addr) {
  if (addr == VirtAddr()) {
    return;
  }
  VmStruct* area = first_;
  while (area != nullptr && area->addr != addr) {
    area = area->next;
  }
  FL_CHECK(area != nullptr, "vfree of {:#010x}, which is no area", addr.value());
  used_pages_ -= area->pages;
  unmap_pages(*area);
  remove(area);
}

// The first hole that is large enough; the area is in the list when this returns. Linux: __get_vm_area_node.
Result<VmStruct*> Vmalloc::get_vm_area(uint32_t size, const char* caller) {
  FL_TRY_ASSIGN(VmStruct* const area, areas_.create());
  VirtAddr at = space_.vmalloc_start();
  VmStruct* before = nullptr;
  VmStruct* behind = first_;
  while (behind != nullptr && behind->addr - at < size) {
    at = behind->addr + behind->size;
    before = std::exchange(behind, behind->next);
  }
  if (behind == nullptr && mmu::kVmallocEnd - at.value() < size) {
    areas_.destroy(area);
    return fail(Errno::kENOMEM);
  }
  *area = VmStruct{.addr = at, .size = size, .pages = 0, .caller = caller, .next = behind, .prev = before};
  (before != nullptr ? before->next : first_) = area;
  if (behind != nullptr) {
    behind->prev = area;
  }
  return area;
}

void Vmalloc::remove(VmStruct* area) {
  (area->prev != nullptr ? area->prev->next : first_) = area->next;
  if (area->next != nullptr) {
    area->next->prev = area->prev;
  }
  areas_.destroy(area);
}

// A failure leaves the pages so far; area.pages counts them.
Status Vmalloc::map_pages(VmStruct& area, uint32_t pages, Gfp gfp) {
  while (area.pages < pages) {
    FL_TRY_ASSIGN(mmu::Pte* const pte, space_.find_or_create_pte(area.addr + (area.pages << kPageShift)));
    FL_TRY_ASSIGN(const Pfn pfn, space_.pages().alloc_pages(gfp));
    FL_CHECK(pte->none(), "vmalloc address {:#010x} is mapped already", area.addr.value() + (area.pages << kPageShift));
    *pte = mmu::Pte(pfn, kPageKernel);
    ++area.pages;
  }
  return {};
}

// Kernel addresses never reach the emulated processor's TLB, so the frames are free at once.
void Vmalloc::unmap_pages(const VmStruct& area) {
  for (uint32_t page = 0; page < area.pages; ++page) {
    mmu::Pte* const pte = space_.find_pte(area.addr + (page << kPageShift));
    const Pfn pfn = std::exchange(*pte, mmu::Pte()).pfn();
    space_.pages().free_pages(pfn);
  }
}

const VmStruct* Vmalloc::find_vm_area(VirtAddr va) const {
  for (const VmStruct* area = first_; area != nullptr && area->addr <= va; area = area->next) {
    if (va - area->addr < area->size) {
      return area;
    }
  }
  return nullptr;
}

Result<VirtAddr> Vmalloc::kvmalloc(uint32_t size, const char* caller, Gfp gfp) {
  // Large orders are only tried, not fought for: single pages will do as well.
  const Gfp try_gfp = size > kPageSize ? gfp | kGfpNoWarn | kGfpNoRetry : gfp;
  if (void* const object = slab_.kmalloc(size, try_gfp)) {
    return slab_.direct_map().address_of(object);
  }
  if (size <= kPageSize) {
    return fail(Errno::kENOMEM);
  }
  return vmalloc(size, caller, gfp | kGfpHighmem);
}

void Vmalloc::kvfree(VirtAddr addr) {
  if (space_.is_vmalloc_addr(addr)) {
    vfree(addr);
  } else if (addr != VirtAddr()) {
    slab_.kfree(slab_.direct_map().pointer<void>(addr));
  }
}

}  // namespace fl::vm
