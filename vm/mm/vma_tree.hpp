// VmaTree: the areas of an address space in address order, with O(log n) lookup and gap search.
//
// A treap (binary search tree by address, heap by a deterministic pseudo-random priority), each node augmented with the
// largest hole directly below an area of its subtree. A hole below a growing stack is counted without the stack guard
// gap. Linux counterpart: the maple tree mm->mm_mt (before 6.1: mm_rb with rb_subtree_gap), vm_unmapped_area.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "vm/mm/vm_area.hpp"

namespace fl::vm {

class VmaTree {
 public:
  VmaTree() = default;
  VmaTree(const VmaTree&) = delete;
  VmaTree& operator=(const VmaTree&) = delete;

  // The first area whose end is above va (it may start above va too), or null. Linux: find_vma.
  VmArea* find(VirtAddr va) const;
  // The area that contains va, or null. Linux: vma_lookup.
  VmArea* lookup(VirtAddr va) const {
    VmArea* area = find(va);
    return area != nullptr && area->start <= va ? area : nullptr;
  }
  // The first area that overlaps [start, end), or null. Linux: find_vma_intersection.
  VmArea* find_intersection(VirtAddr start, VirtAddr end) const {
    VmArea* area = find(start);
    return area != nullptr && area->start < end ? area : nullptr;
  }
  VmArea* first() const { return first_; }
  VmArea* last() const;
  uint32_t size() const { return size_; }
  // For verification.
  const VmArea* root() const { return root_; }

  // Links an area that overlaps none; it stays the caller's.
  void insert(VmArea* area);
  void remove(VmArea* area);
  // Moves an area's borders; it must stay between its neighbours.
  void resize(VmArea* area, VirtAddr start, VirtAddr end);

  // Start of the highest (lowest) hole of `length` bytes inside [low, high), placed at the hole's top (bottom).
  // 0 bytes or no such hole: nothing found. Linux: unmapped_area_topdown, unmapped_area.
  struct Hole {
    bool found = false;
    VirtAddr start;
  };
  Hole highest_hole(uint32_t length, VirtAddr low, VirtAddr high) const;
  Hole lowest_hole(uint32_t length, VirtAddr low, VirtAddr high) const;

 private:
  void update(VmArea* node) const;
  VmArea* merge(VmArea* a, VmArea* b);
  void split(VmArea* node, VirtAddr key, VmArea*& below, VmArea*& above);
  void refresh_path(VmArea* node, const VmArea* target);

  VmArea* root_ = nullptr;
  VmArea* first_ = nullptr;
  uint32_t size_ = 0;
  uint32_t random_state_ = 0x9e3779b9u;
};

}  // namespace fl::vm
