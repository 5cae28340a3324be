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

// An area whose end must be told is not merged away. Linux: is_mergeable_vma; since 6.5 such areas may still exchange
// pages when only a part of one changes.
bool is_told(const AreaShape& shape) { return shape.file != nullptr && shape.file->area_operations != nullptr; }

// The shapes could be one. Linux: can_vma_merge_after but for the AnonVmas.
bool continues(const AreaShape& below, const AreaShape& above) {
  return !is_told(below) && below.end == above.start && below.flags == above.flags && below.file == above.file &&
         below.special == nullptr && above.special == nullptr && !below.has(VmFlag::kPfnMap | VmFlag::kDontExpand) &&
         below.policy == above.policy && below.pgoff + below.pages() == above.pgoff;
}

// Whether `target` may grow by pages of `source` (null: fresh memory, without an AnonVma). An area that came by fork is
// not given others' pages. Linux: is_mergeable_anon_vma.
bool takes_anon_vma(const VmArea& target, const VmArea* source) {
  const AnonVma* const anon_vma = source != nullptr ? source->anon_vma : nullptr;
  if (target.anon_vma == anon_vma) {
    return true;
  }
  if (anon_vma == nullptr) {
    return !is_fork_child(target);
  }
  return target.anon_vma == nullptr && target.mm->memory().profile().unwritten_area_takes_written &&
         !is_fork_child(*source);
}

void tell(const AddressSpace& mm, MemorySystem& memory, const VmArea& area, AreaChange change) {
  if (MemoryProbe* const probe = memory.probe(MemoryProbe::kAreas); probe != nullptr) [[unlikely]] {
    probe->on_area(mm, area, change);
  }
}

// The two can stand for both ends of one area. Linux: is_mergeable_anon_vma between prev and next.
bool one_anon_vma(const VmArea& below, const VmArea& above) {
  return below.anon_vma == above.anon_vma || below.anon_vma == nullptr || above.anon_vma == nullptr;
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
  if (area.has(VmFlag::kAccount)) {
    Overcommit& overcommit = mm_.memory_.overcommit();
    sign > 0 ? overcommit.charge(pages) : overcommit.uncharge(pages);
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
    if (area->file->area_operations != nullptr) {
      area->file->area_operations->open();
    }
  }
  account(*area, area->pages(), +1);
  tell(mm_, mm_.memory_, *area, AreaChange::kMade);
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

Result<VmArea*> AreaEditor::add_forked(const AreaShape& shape, const VmArea& from) {
  FL_TRY_ASSIGN(VmArea* const area, make(shape, nullptr));
  if (const auto forked = anon_vma_fork(*area, from); !forked) {
    mm_.memory_.caches().vm_area.destroy(area);
    return fail(forked.error());
  }
  link(area);
  return area;
}

Result<VmArea*> AreaEditor::add_merged(const AreaShape& shape) {
  VmArea* const above = mm_.areas_.find(shape.start);
  VmArea* const below = above != nullptr ? above->prev : mm_.areas_.last();
  bool into_below = below != nullptr && continues(*below, shape) && takes_anon_vma(*below, nullptr);
  const bool into_above = above != nullptr && continues(shape, *above) && takes_anon_vma(*above, nullptr);
  bool into_both = into_below && into_above && one_anon_vma(*below, *above);
  if (into_below && into_above && !mm_.memory_.profile().unwritten_area_takes_written) {
    // Before 6.16 the area above is asked first, then the one below whether it takes that one too; else it is left out.
    into_below = into_both = takes_anon_vma(*below, above);
  }
  if (into_below) {
    resize(below, below->start, shape.end);
    if (into_both) {
      join(below, above);
    }
    return below;
  }
  if (into_above) {
    resize(above, shape.start, above->end);
    return above;
  }
  return add(shape);
}

void AreaEditor::remove(VmArea* area) {
  const std::shared_ptr<const MappedFile> file = area->file;  // until it was told
  if (file != nullptr) {
    Mapping::Areas& areas = file->mapping->areas();
    areas.erase(areas.iterator_to(*area));
  }
  account(*area, area->pages(), -1);
  tell(mm_, mm_.memory_, *area, AreaChange::kRemoved);
  mm_.areas_.remove(area);
  unlink_anon_vmas(*area);
  mm_.memory_.caches().vm_area.destroy(area);
  if (file != nullptr && file->area_operations != nullptr) {
    file->area_operations->close();
  }
}

Result<VmArea*> AreaEditor::split(VmArea* area, VirtAddr at) {
  FL_CHECK(area->start < at && at < area->end && at.page_aligned());
  if (mm_.areas_.size() >= mm_.memory_.max_map_count()) {
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
  tell(mm_, mm_.memory_, *area, AreaChange::kChanged);
}

void AreaEditor::set_flags(VmArea* area, uint32_t flags) {
  account(*area, area->pages(), -1);
  const bool same = area->flags == flags;
  area->flags = flags;
  account(*area, area->pages(), +1);
  if (!same) {
    tell(mm_, mm_.memory_, *area, AreaChange::kChanged);
  }
}

bool AreaEditor::must_be_one(const VmArea& below, const VmArea& above) {
  return continues(below, above) && !below.has_anon_vma() && !above.has_anon_vma();
}

void AreaEditor::join(VmArea* below, VmArea* above) {
  if (!below->has_anon_vma()) {
    anon_vma_move(*below, *above);
  }
  const VirtAddr end = above->end;
  remove(above);
  resize(below, below->start, end);
}

VmArea* AreaEditor::merge(VmArea* area) {
  VmArea* const below = area->prev;
  VmArea* const above = area->next;
  const bool into_below = below != nullptr && continues(*below, *area) && takes_anon_vma(*below, area);
  bool into_above = above != nullptr && continues(*area, *above) && takes_anon_vma(*above, area);
  if (into_below) {
    into_above = into_above && one_anon_vma(*below, *above);
    join(below, area);
    area = below;
  }
  if (into_above) {
    join(area, above);
  }
  return area;
}

}  // namespace fl::vm
