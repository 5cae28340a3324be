// Making, splitting and merging areas.
#include "vm/mm/area_editor.hpp"

#include "vm/cache/mapping.hpp"
#include "vm/kernel_caches.hpp"
#include "vm/memory_system.hpp"
#include "vm/profile.hpp"

namespace fl::vm {
namespace {

// Linux: is_data_mapping, is_exec_mapping, is_stack_mapping.
bool is_stack(uint32_t flags) { return (flags & VmFlag::kGrowsDown) != 0; }
bool is_exec(uint32_t flags) {
  return (flags & (VmFlag::kExec | VmFlag::kWrite | VmFlag::kGrowsDown)) == VmFlag::kExec;
}
bool is_data(uint32_t flags) {
  return (flags & (VmFlag::kWrite | VmFlag::kShared | VmFlag::kGrowsDown)) == VmFlag::kWrite;
}

// As can_merge, but for the AnonVmas.
bool continues(const AreaShape& below, const AreaShape& above) {
  return below.end == above.start && below.flags == above.flags && below.file == above.file &&
         below.special == nullptr && above.special == nullptr && !below.has(VmFlag::kPfnMap | VmFlag::kDontExpand) &&
         below.policy == above.policy && below.pgoff + below.pages() == above.pgoff;
}

}  // namespace

void AreaEditor::account(const VmArea& area, uint32_t pages, int sign) {
  const uint32_t delta = sign > 0 ? pages : 0u - pages;
  MemoryUse& use = mm_.use_;
  use.total_vm += delta;
  if (is_exec(area.flags)) {
    use.exec_vm += delta;
  } else if (is_stack(area.flags)) {
    use.stack_vm += delta;
  } else if (is_data(area.flags)) {
    use.data_vm += delta;
  }
  if (area.has(VmFlag::kLocked)) {
    use.locked_vm += delta;
  }
}

Result<VmArea*> AreaEditor::make(const AreaShape& shape, const VmArea* from) {
  KernelCaches& caches = mm_.memory_.caches();
  FL_TRY_ASSIGN(VmArea* const area, caches.vm_area.create(shape));
  area->mm = &mm_;
  if (from != nullptr) {
    if (const auto cloned = anon_vma_clone(*area, *from); !cloned) {
      caches.vm_area.destroy(area);
      return fail(cloned.error());
    }
  }
  return area;
}

void AreaEditor::link(VmArea* area) {
  mm_.areas_.insert(area);
  if (area->file != nullptr) {
    area->file->mapping->areas().push_back(*area);
  }
  account(*area, area->pages(), +1);
}

Result<VmArea*> AreaEditor::add(const AreaShape& shape) {
  FL_TRY_ASSIGN(VmArea* const area, make(shape, nullptr));
  link(area);
  return area;
}

Result<VmArea*> AreaEditor::add_copy(const AreaShape& shape, const VmArea& from) {
  FL_TRY_ASSIGN(VmArea* const area, make(shape, &from));
  link(area);
  return area;
}

Result<VmArea*> AreaEditor::add_merged(const AreaShape& shape) {
  VmArea* const above = mm_.areas_.find(shape.start);
  VmArea* const below = above != nullptr ? above->prev : mm_.areas_.last();
  if (below != nullptr && continues(*below, shape)) {
    resize(below, below->start, shape.end);
    merge_above(below);
    return below;
  }
  if (above != nullptr && continues(shape, *above)) {
    resize(above, shape.start, above->end);
    return above;
  }
  return add(shape);
}

void AreaEditor::remove(VmArea* area) {
  if (area->file != nullptr) {
    Mapping::Areas& areas = area->file->mapping->areas();
    areas.erase(areas.iterator_to(*area));
  }
  account(*area, area->pages(), -1);
  mm_.areas_.remove(area);
  unlink_anon_vmas(*area);
  mm_.memory_.caches().vm_area.destroy(area);
}

Result<VmArea*> AreaEditor::split(VmArea* area, VirtAddr at) {
  FL_CHECK(area->start < at && at < area->end && at.page_aligned());
  if (mm_.areas_.size() >= kMaxMapCount) {
    return fail(Errno::kENOMEM);
  }
  AreaShape shape = *area;
  shape.start = at;
  shape.pgoff = area->page_index(at);
  FL_TRY_ASSIGN(VmArea* const upper, make(shape, area));
  resize(area, area->start, at);
  link(upper);
  return upper;
}

Result<VmArea*> AreaEditor::isolate(VmArea* area, VirtAddr start, VirtAddr end) {
  if (area->start < start) {
    FL_TRY_ASSIGN(area, split(area, start));
  }
  if (end < area->end) {
    if (const auto cut = split(area, end); !cut) {
      merge(area);
      return fail(cut.error());
    }
  }
  return area;
}

void AreaEditor::resize(VmArea* area, VirtAddr start, VirtAddr end) {
  account(*area, area->pages(), -1);
  area->pgoff += static_cast<uint32_t>(start.vpn() - area->start.vpn());
  mm_.areas_.resize(area, start, end);
  account(*area, area->pages(), +1);
}

void AreaEditor::set_flags(VmArea* area, uint32_t flags) {
  account(*area, area->pages(), -1);
  area->flags = flags;
  account(*area, area->pages(), +1);
}

bool AreaEditor::can_merge(const VmArea& below, const VmArea& above) {
  // Linux: is_mergeable_anon_vma.
  return continues(below, above) &&
         (below.anon_vma == above.anon_vma || below.anon_vma == nullptr || above.anon_vma == nullptr);
}

bool AreaEditor::merge_above(VmArea* area) {
  VmArea* const above = area->next;
  if (above == nullptr || !can_merge(*area, *above)) {
    return false;
  }
  if (!area->has_anon_vma()) {
    anon_vma_move(*area, *above);
  }
  const VirtAddr end = above->end;
  remove(above);
  resize(area, area->start, end);
  return true;
}

VmArea* AreaEditor::merge(VmArea* area) {
  VmArea* const below = area->prev;
  if (below != nullptr && merge_above(below)) {
    area = below;
  }
  merge_above(area);
  return area;
}

}  // namespace fl::vm
