// AreaEditor: the moves from which every mm call is made: add, remove, split, change flags, merge. It makes and frees
// the areas, and keeps the tree, the counters (total_vm ...), each file's list of areas and the AnonVmas in step. What
// needs memory says so and changes nothing if there is none. Linux counterpart: vma_link, __split_vma, copy_vma,
// vma_merge, vma_modify_flags (mm/mmap.c).
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::vm {

class AreaEditor {
 public:
  explicit AreaEditor(AddressSpace& mm) : mm_(mm) {}

  // Adds an area of its own, unmerged. ENOMEM.
  Result<VmArea*> add(const AreaShape& shape);
  // Adds to the address space: a neighbour that it can be one with is stretched, which needs no memory; else a new area
  // is made. Returns the area that covers it. ENOMEM. Linux: vma_merge, vm_area_alloc.
  Result<VmArea*> add_merged(const AreaShape& shape);
  // As add; pages of `from` may be moved into it. Linux: copy_vma.
  Result<VmArea*> add_copy(const AreaShape& shape, const VmArea& from);
  // As add, for the child of a fork: `from` is the parent's area. ENOMEM. Linux: vm_area_dup, anon_vma_fork.
  Result<VmArea*> add_forked(const AreaShape& shape, const VmArea& from);
  // Takes an area out and frees it; its pages were dropped before.
  void remove(VmArea* area);
  // Cuts an area in two at `at` (inside it, page-aligned). ENOMEM if there are too many areas. Returns the upper part.
  Result<VmArea*> split(VmArea* area, VirtAddr at);
  // Cuts so that [start, end) inside `area` is an area of its own, and returns it. ENOMEM leaves `area` whole.
  Result<VmArea*> isolate(VmArea* area, VirtAddr start, VirtAddr end);
  // Moves a border outwards or inwards and adjusts counters and pgoff. Between neighbours only.
  void resize(VmArea* area, VirtAddr start, VirtAddr end);
  // Gives the area other flags; counters follow. The caller changes page-table entries.
  void set_flags(VmArea* area, uint32_t flags);
  // Merges the area with its neighbours where they can be one; returns the area that now covers it. Cannot fail.
  VmArea* merge(VmArea* area);

  // Neighbours of the same shape that nobody wrote to would have been merged when the later one was made or changed.
  // (Of written ones Linux leaves some apart.) For verification.
  static bool must_be_one(const VmArea& below, const VmArea& above);

 private:
  // An area of the cache that stands in no list yet, member of the AnonVmas of `from` (if any). ENOMEM.
  Result<VmArea*> make(const AreaShape& shape, const VmArea* from);
  void link(VmArea* area);
  // `above` ends as a part of `below`.
  void join(VmArea* below, VmArea* above);
  void account(const VmArea& area, uint32_t pages, int sign);

  AddressSpace& mm_;
};

}  // namespace fl::vm
