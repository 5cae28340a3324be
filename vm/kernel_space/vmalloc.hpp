// Vmalloc: memory whose pages need not lie together: single frames, high ones first, mapped side by side between
// VMALLOC_START and VMALLOC_END.
//
// Areas (VmStruct, in slab memory) stand in a list by address; a new one goes into the first hole that is large enough,
// and ends in a guard page that is never mapped. On the host the pages are not together either: KernelSpace::pointer
// reaches them page by page, VmallocArray by element. Linux counterparts: vmalloc, vfree, vm_struct, vmap_area
// (mm/vmalloc.c), kvmalloc (mm/util.c). Simplified: areas are given back at once instead of lazily; the pages of an
// area are read from its page-table entries, not from an array of its own.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/kernel_space/kernel_space.hpp"
#include "vm/phys/gfp.hpp"
#include "vm/slab/object_cache.hpp"

namespace fl::vm {

// Linux: vm_struct and its vmap_area.
struct VmStruct {
  VirtAddr addr;
  uint32_t size = 0;  // with the guard page
  uint32_t pages = 0;
  const char* caller = "";  // for /proc/vmallocinfo
  VmStruct* next = nullptr;
  VmStruct* prev = nullptr;
};

class Vmalloc {
 public:
  Vmalloc(KernelSpace& space, SlabAllocator& slab);
  Vmalloc(const Vmalloc&) = delete;
  Vmalloc& operator=(const Vmalloc&) = delete;

  // `size` bytes at adjacent kernel addresses; `caller` must live for ever. ENOMEM: no hole, no page, no table; EINVAL:
  // size 0. With kGfpZero the pages are zero.
  Result<VirtAddr> vmalloc(uint32_t size, const char* caller, Gfp gfp = kGfpKernel | kGfpHighmem);
  // Gives an area back: its first address. Null (0) is allowed.
  void vfree(VirtAddr addr);

  // kmalloc if it may be had, else vmalloc. Linux: kvmalloc, kvfree.
  Result<VirtAddr> kvmalloc(uint32_t size, const char* caller, Gfp gfp = kGfpKernel);
  void kvfree(VirtAddr addr);

  // Areas in the order of their addresses.
  const VmStruct* first() const { return first_; }
  // The area around an address, or null. Linux: find_vm_area.
  const VmStruct* find_vm_area(VirtAddr va) const;
  // VmallocTotal, VmallocUsed of /proc/meminfo, in pages.
  uint32_t total_pages() const { return (mmu::kVmallocEnd - space_.vmalloc_start().value()) >> kPageShift; }
  uint32_t used_pages() const { return used_pages_; }
  KernelSpace& space() { return space_; }

 private:
  Result<VmStruct*> get_vm_area(uint32_t size, const char* caller);
  void remove(VmStruct* area);
  Status map_pages(VmStruct& area, uint32_t pages, Gfp gfp);
  void unmap_pages(const VmStruct& area);

  KernelSpace& space_;
  SlabAllocator& slab_;
  ObjectCache<VmStruct> areas_;
  VmStruct* first_ = nullptr;
  uint32_t used_pages_ = 0;
};

// `count` objects of T in kvmalloc memory, zero at first. No object crosses a page. For types without constructors.
template <class T>
class VmallocArray {
 public:
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kPageSize);

  static Result<VmallocArray> create(Vmalloc& vmalloc, uint32_t count, const char* caller) {
    const uint64_t bytes = (uint64_t{count} + kPerPage - 1) / kPerPage * kPageSize;
    if (bytes == 0 || bytes > mmu::kVmallocReserve) {
      return fail(Errno::kENOMEM);
    }
    FL_TRY_ASSIGN(const VirtAddr at,
                  vmalloc.vmalloc(static_cast<uint32_t>(bytes), caller, kGfpKernel | kGfpHighmem | kGfpZero));
    return VmallocArray(vmalloc, at, count);
  }
  VmallocArray(VmallocArray&& other) noexcept
      : vmalloc_(other.vmalloc_), at_(std::exchange(other.at_, VirtAddr())), count_(std::exchange(other.count_, 0)) {}
  VmallocArray& operator=(VmallocArray&&) = delete;
  ~VmallocArray() { vmalloc_->vfree(at_); }

  uint32_t size() const { return count_; }
  VirtAddr address() const { return at_; }
  T& operator[](uint32_t index) const {
    const VirtAddr page = at_ + (index / kPerPage << kPageShift);
    return reinterpret_cast<T*>(vmalloc_->space().pointer(page))[index % kPerPage];
  }

 private:
  static constexpr uint32_t kPerPage = kPageSize / sizeof(T);
  VmallocArray(Vmalloc& vmalloc, VirtAddr at, uint32_t count) : vmalloc_(&vmalloc), at_(at), count_(count) {}

  Vmalloc* vmalloc_;
  VirtAddr at_;
  uint32_t count_;
};

}  // namespace fl::vm
