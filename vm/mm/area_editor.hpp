// AreaEditor: the moves from which every mm call is made: insert, remove, split, change flags, merge. It keeps the
// tree, the counters (total_vm ...) and each file's list of areas in step. Linux counterpart: vma_link, __split_vma,
// vma_merge, vma_modify_flags (mm/vma.c).
#pragma once

#include <cstdint>
#include <memory>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::vm {

class AreaEditor {
 public:
  explicit AreaEditor(AddressSpace& mm) : mm_(mm) {}

  // Takes the area into the address space; does not merge.
  VmArea* insert(std::unique_ptr<VmArea> area);
  // Takes it out; its pages were dropped before.
  std::unique_ptr<VmArea> remove(VmArea* area);
  // Cuts an area in two at `at` (inside it, page-aligned). ENOMEM if there are too many areas. Returns the upper part.
  Result<VmArea*> split(VmArea* area, VirtAddr at);
  // Cuts so that [start, end) inside `area` is an area of its own, and returns it. ENOMEM leaves `area` whole.
  Result<VmArea*> isolate(VmArea* area, VirtAddr start, VirtAddr end);
  // Moves a border outwards or inwards and adjusts counters and pgoff. Between neighbours only.
  void resize(VmArea* area, VirtAddr start, VirtAddr end);
  // Gives the area other flags; counters follow. The caller changes page-table entries.
  void set_flags(VmArea* area, uint32_t flags);
  // Merges the area with its neighbours where they can be one; returns the area that now covers it.
  VmArea* merge(VmArea* area);

  // `above` continues `below`: same flags, file, offset and anon_vma. Linux: can_vma_merge_after.
  static bool can_merge(const VmArea& below, const VmArea& above);

 private:
  void account(const VmArea& area, uint32_t pages, int sign);

  AddressSpace& mm_;
};

}  // namespace fl::vm
