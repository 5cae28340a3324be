// The treap: lookup, insertion by split, removal by merge, and the two searches for a hole.
#include "vm/mm/vma_tree.hpp"

#include <algorithm>

#include "mmu/base/check.hpp"
#include "vm/profile.hpp"

namespace fl::vm {
namespace {

// Where the hole below an area ends: a growing stack keeps a gap. Linux: vm_start_gap.
VirtAddr hole_end(const VmArea& area) {
  if (!area.has(VmFlag::kGrowsDown)) {
    return area.start;
  }
  return area.start.value() > kStackGuardGap ? area.start - kStackGuardGap : VirtAddr(0);
}

VirtAddr hole_start(const VmArea& area) { return area.prev != nullptr ? area.prev->end : VirtAddr(0); }

uint32_t hole_below(const VmArea& area) {
  const VirtAddr start = hole_start(area);
  const VirtAddr end = hole_end(area);
  return end > start ? end - start : 0;
}

uint32_t max_gap(const VmArea* node) { return node != nullptr ? node->max_gap : 0; }

struct Range {
  VirtAddr start;
  VirtAddr end;
  bool holds(uint32_t length) const { return end > start && end - start >= length; }
};

Range clip(VirtAddr start, VirtAddr end, VirtAddr low, VirtAddr high) {
  return {std::max(start, low), std::min(end, high)};
}

// Finds the area with the highest hole below it that is large enough. A subtree without a large hole, or wholly outside
// [low, high), is not entered.
const VmArea* highest(const VmArea* node, uint32_t length, VirtAddr low, VirtAddr high) {
  if (max_gap(node) < length) {
    return nullptr;
  }
  // Holes of the right subtree end above node->end; holes of the left one start below node->start.
  if (node->end < high) {
    if (const VmArea* found = highest(node->right, length, low, high); found != nullptr) {
      return found;
    }
  }
  if (clip(hole_start(*node), hole_end(*node), low, high).holds(length)) {
    return node;
  }
  return node->start > low ? highest(node->left, length, low, high) : nullptr;
}

const VmArea* lowest(const VmArea* node, uint32_t length, VirtAddr low, VirtAddr high) {
  if (max_gap(node) < length) {
    return nullptr;
  }
  if (node->start > low) {
    if (const VmArea* found = lowest(node->left, length, low, high); found != nullptr) {
      return found;
    }
  }
  if (clip(hole_start(*node), hole_end(*node), low, high).holds(length)) {
    return node;
  }
  return node->end < high ? lowest(node->right, length, low, high) : nullptr;
}

}  // namespace

VmArea* VmaTree::find(VirtAddr va) const {
  VmArea* found = nullptr;
  for (VmArea* node = root_; node != nullptr;) {
    if (va < node->end) {
      found = node;
      node = node->left;
    } else {
      node = node->right;
    }
  }
  return found;
}

VmArea* VmaTree::last() const {
  VmArea* node = root_;
  while (node != nullptr && node->right != nullptr) {
    node = node->right;
  }
  return node;
}

void VmaTree::update(VmArea* node) const {
  node->max_gap = std::max({hole_below(*node), max_gap(node->left), max_gap(node->right)});
}

VmArea* VmaTree::merge(VmArea* a, VmArea* b) {
  if (a == nullptr || b == nullptr) {
    return a == nullptr ? b : a;
  }
  if (a->priority > b->priority) {
    a->right = merge(a->right, b);
    update(a);
    return a;
  }
  b->left = merge(a, b->left);
  update(b);
  return b;
}

void VmaTree::split(VmArea* node, VirtAddr key, VmArea*& below, VmArea*& above) {
  if (node == nullptr) {
    below = above = nullptr;
  } else if (node->start < key) {
    split(node->right, key, node->right, above);
    below = node;
    update(node);
  } else {
    split(node->left, key, below, node->left);
    above = node;
    update(node);
  }
}

void VmaTree::refresh_path(VmArea* node, const VmArea* target) {
  FL_CHECK(node != nullptr, "area {:#x} is not in the tree", target->start.value());
  if (target != node) {
    refresh_path(target->start < node->start ? node->left : node->right, target);
  }
  update(node);
}

void VmaTree::insert(VmArea* area) {
  FL_CHECK(area->start < area->end);
  VmArea* next = find(area->start);
  FL_CHECK(next == nullptr || next->start >= area->end, "area {:#x}-{:#x} overlaps {:#x}", area->start.value(),
           area->end.value(), next->start.value());
  VmArea* prev = next != nullptr ? next->prev : last();
  area->prev = prev;
  area->next = next;
  (prev != nullptr ? prev->next : first_) = area;
  if (next != nullptr) {
    next->prev = area;
  }

  // xorshift32: the shape of the tree is the same in every run.
  random_state_ ^= random_state_ << 13;
  random_state_ ^= random_state_ >> 17;
  random_state_ ^= random_state_ << 5;
  area->priority = random_state_;
  area->left = area->right = nullptr;
  update(area);
  VmArea* below = nullptr;
  VmArea* above = nullptr;
  split(root_, area->start, below, above);
  root_ = merge(merge(below, area), above);
  if (next != nullptr) {
    refresh_path(root_, next);
  }
  ++size_;
}

void VmaTree::remove(VmArea* area) {
  VmArea* below = nullptr;
  VmArea* rest = nullptr;
  VmArea* self = nullptr;
  VmArea* above = nullptr;
  split(root_, area->start, below, rest);
  split(rest, area->start + 1, self, above);
  FL_CHECK(self == area);
  (area->prev != nullptr ? area->prev->next : first_) = area->next;
  if (area->next != nullptr) {
    area->next->prev = area->prev;
  }
  root_ = merge(below, above);
  if (area->next != nullptr) {
    refresh_path(root_, area->next);
  }
  area->prev = area->next = area->left = area->right = nullptr;
  --size_;
}

void VmaTree::resize(VmArea* area, VirtAddr start, VirtAddr end) {
  FL_CHECK(start < end && (area->prev == nullptr || area->prev->end <= start) &&
               (area->next == nullptr || end <= area->next->start),
           "resize {:#x}-{:#x} to {:#x}-{:#x}", area->start.value(), area->end.value(), start.value(), end.value());
  area->start = start;
  area->end = end;
  refresh_path(root_, area);
  if (area->next != nullptr) {
    refresh_path(root_, area->next);
  }
}

VmaTree::Hole VmaTree::highest_hole(uint32_t length, VirtAddr low, VirtAddr high) const {
  if (length == 0 || high <= low) {
    return {};
  }
  // The hole above the last area belongs to no area.
  const VmArea* top = last();
  if (const Range above = clip(top != nullptr ? top->end : VirtAddr(0), high, low, high); above.holds(length)) {
    return {true, above.end - length};
  }
  const VmArea* found = highest(root_, length, low, high);
  if (found == nullptr) {
    return {};
  }
  return {true, clip(hole_start(*found), hole_end(*found), low, high).end - length};
}

VmaTree::Hole VmaTree::lowest_hole(uint32_t length, VirtAddr low, VirtAddr high) const {
  if (length == 0 || high <= low) {
    return {};
  }
  if (const VmArea* found = lowest(root_, length, low, high); found != nullptr) {
    return {true, clip(hole_start(*found), hole_end(*found), low, high).start};
  }
  const VmArea* top = last();
  const Range above = clip(top != nullptr ? top->end : VirtAddr(0), high, low, high);
  return above.holds(length) ? Hole{true, above.start} : Hole{};
}

}  // namespace fl::vm
