// Invariant 3: the areas as a list and as a tree. Invariant 12, first half: what is counted by area.
// Linux counterpart: validate_mm, mt_validate.
#include <algorithm>

#include "mmu/layout.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/area_editor.hpp"
#include "vm/profile.hpp"
#include "vm/verify/checks.hpp"

namespace fl::vm {
namespace {

// Written out again, not shared with the tree: a mistake in one of them shows.
uint32_t hole_below(const VmArea& area) {
  const uint64_t start = area.prev != nullptr ? area.prev->end.value() : 0;
  const uint64_t kept = area.has(VmFlag::kGrowsDown) ? kStackGuardGap : 0;
  const uint64_t hole = area.start.value() > start ? area.start.value() - start : 0;
  return static_cast<uint32_t>(hole > kept ? hole - kept : 0);
}

class AreaCheck {
 public:
  AreaCheck(AddressSpace& mm, Violations& out) : mm_(mm), out_(out) {}

  void run() {
    check_list();
    // In-order, so that the walk meets the areas as the list has them.
    next_ = mm_.areas().first();
    check_node(mm_.areas().root());
    if (in_tree_ != mm_.areas().size() || in_list_ != mm_.areas().size()) {
      out_.add(Invariant::kAreas, "{} areas in the list, {} in the tree, {} counted", in_list_, in_tree_,
               mm_.areas().size());
    }
    const MemoryUse& use = mm_.use();
    check_counter("total_vm", use.total_vm, sum_.total_vm);
    check_counter("data_vm", use.data_vm, sum_.data_vm);
    check_counter("stack_vm", use.stack_vm, sum_.stack_vm);
    check_counter("exec_vm", use.exec_vm, sum_.exec_vm);
    check_counter("locked_vm", use.locked_vm, sum_.locked_vm);
  }

 private:
  void check_list() {
    const VmArea* prev = nullptr;
    for (const VmArea* area = mm_.areas().first(); area != nullptr; area = area->next) {
      if (++in_list_ > mm_.areas().size()) {
        return;  // reported with the counts
      }
      if (area->prev != prev || area->mm != &mm_) {
        out_.add(Invariant::kAreas, "area {:08x}: wrong link to the one before or to the address space",
                 area->start.value());
      }
      check_area(*area);
      if (prev != nullptr) {
        check_neighbours(*prev, *area);
      }
      prev = area;
    }
  }

  void check_area(const VmArea& area) {
    if (!area.start.page_aligned() || !area.end.page_aligned() || area.start >= area.end ||
        area.end.value() > mmu::kTaskSize) {
      out_.add(Invariant::kAreas, "area {:08x}-{:08x} is empty, unaligned or outside user space", area.start.value(),
               area.end.value());
    }
    if (area.shared() && area.file == nullptr) {
      out_.add(Invariant::kAreas, "area {:08x} is shared, but has no file", area.start.value());
    }
    if (area.file != nullptr) {
      // The list is the file's, so its other areas may be another address space's.
      const Mapping::Areas& areas = area.file->mapping->areas();
      if (std::none_of(areas.begin(), areas.end(), [&](const VmArea& other) { return &other == &area; })) {
        out_.add(Invariant::kAreas, "area {:08x} is not on its file's list", area.start.value());
      }
    }
    const uint32_t pages = area.pages();
    const bool write = area.has(VmFlag::kWrite);
    sum_.total_vm += pages;
    sum_.locked_vm += area.has(VmFlag::kLocked) ? pages : 0;
    if (area.has(VmFlag::kGrowsDown)) {
      sum_.stack_vm += pages;
    } else if (write) {
      sum_.data_vm += area.shared() ? 0 : pages;
    } else if (area.has(VmFlag::kExec)) {
      sum_.exec_vm += pages;
    }
  }

  void check_neighbours(const VmArea& below, const VmArea& above) {
    if (above.start < below.end) {
      out_.add(Invariant::kAreas, "areas {:08x}-{:08x} and {:08x}-{:08x} overlap or are out of order",
               below.start.value(), below.end.value(), above.start.value(), above.end.value());
    }
    // A stack that has grown down to its neighbour is not merged with it, nor a heap that starts where bss ends; nor
    // are they by Linux.
    // Nor does fork merge what became alike by it.
    const bool kept_apart =
        above.has(VmFlag::kGrowsDown) || above.start == mm_.layout().start_brk || mm_.came_by_fork();
    if (!kept_apart && AreaEditor::must_be_one(below, above)) {
      out_.add(Invariant::kAreas, "areas {:08x} and {:08x} could be one", below.start.value(), above.start.value());
    }
  }

  // The largest hole of the subtree, recounted.
  uint32_t check_node(const VmArea* node) {
    if (node == nullptr || in_tree_ > mm_.areas().size()) {
      return 0;
    }
    uint32_t gap = check_node(node->left);
    ++in_tree_;
    if (node != next_) {
      out_.add(Invariant::kAreas, "the tree has area {:08x} where the list has {:08x}", node->start.value(),
               next_ != nullptr ? next_->start.value() : 0);
    }
    next_ = node->next;
    for (const VmArea* child : {node->left, node->right}) {
      if (child != nullptr && child->priority > node->priority) {
        out_.add(Invariant::kAreas, "area {:08x} stands above {:08x} against their priorities", node->start.value(),
                 child->start.value());
      }
    }
    gap = std::max({gap, hole_below(*node), check_node(node->right)});
    if (gap != node->max_gap) {
      out_.add(Invariant::kAreas, "area {:08x}: the largest hole of its subtree is {:#x}, it says {:#x}",
               node->start.value(), gap, node->max_gap);
    }
    return gap;
  }

  void check_counter(const char* name, uint32_t says, uint32_t is) {
    if (says != is) {
      out_.add(Invariant::kCounters, "{} is {} pages, recounted {}", name, says, is);
    }
  }

  AddressSpace& mm_;
  Violations& out_;
  const VmArea* next_ = nullptr;
  uint32_t in_list_ = 0;
  uint32_t in_tree_ = 0;
  MemoryUse sum_;
};

}  // namespace

void check_areas(AddressSpace& mm, Violations& out) { AreaCheck(mm, out).run(); }

void check_commitments(MemorySystem& memory, Violations& out) {
  uint64_t promised = 0;
  for (const AddressSpace& mm : memory.spaces()) {
    for (const VmArea* area = mm.areas().first(); area != nullptr; area = area->next) {
      promised += area->has(VmFlag::kAccount) ? area->pages() : 0;
    }
  }
  for (const Mapping& mapping : memory.cache().mappings()) {
    promised += mapping.committed_pages();
  }
  if (promised != memory.overcommit().committed()) {
    out.add(Invariant::kCounters, "{} pages are said to be promised, recounted {}", memory.overcommit().committed(),
            promised);
  }
}

}  // namespace fl::vm
