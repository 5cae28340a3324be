// Splitting and merging areas.
#include "vm/mm/area_editor.hpp"

#include <utility>

#include "vm/cache/mapping.hpp"
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

VmArea* AreaEditor::insert(std::unique_ptr<VmArea> owned) {
  owned->mm = &mm_;
  VmArea* area = mm_.areas_.insert(std::move(owned));
  if (area->file != nullptr) {
    area->file->mapping->areas().push_back(*area);
  }
  account(*area, area->pages(), +1);
  return area;
}

std::unique_ptr<VmArea> AreaEditor::remove(VmArea* area) {
  if (area->file != nullptr) {
    Mapping::Areas& areas = area->file->mapping->areas();
    areas.erase(areas.iterator_to(*area));
  }
  account(*area, area->pages(), -1);
  return mm_.areas_.remove(area);
}

Result<VmArea*> AreaEditor::split(VmArea* area, VirtAddr at) {
  FL_CHECK(area->start < at && at < area->end && at.page_aligned());
  if (mm_.areas_.size() >= kMaxMapCount) {
    return fail(Errno::kENOMEM);
  }
  auto upper = std::make_unique<VmArea>();
  upper->start = at;
  upper->end = area->end;
  upper->flags = area->flags;
  upper->pgoff = area->page_index(at);
  upper->file = area->file;
  upper->special = area->special;
  upper->anon_vma = area->anon_vma;
  resize(area, area->start, at);
  return insert(std::move(upper));
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
  return below.end == above.start && below.flags == above.flags && below.file == above.file &&
         below.special == nullptr && above.special == nullptr && !below.has(VmFlag::kPfnMap | VmFlag::kDontExpand) &&
         (below.anon_vma == above.anon_vma || below.anon_vma == 0 || above.anon_vma == 0) &&
         below.policy == above.policy && below.pgoff + below.pages() == above.pgoff;
}

VmArea* AreaEditor::merge(VmArea* area) {
  if (area->prev != nullptr && can_merge(*area->prev, *area)) {
    VmArea* below = area->prev;
    const auto gone = remove(area);
    below->anon_vma = below->anon_vma != 0 ? below->anon_vma : gone->anon_vma;
    resize(below, below->start, gone->end);
    area = below;
  }
  if (area->next != nullptr && can_merge(*area, *area->next)) {
    const auto gone = remove(area->next);
    area->anon_vma = area->anon_vma != 0 ? area->anon_vma : gone->anon_vma;
    resize(area, area->start, gone->end);
  }
  return area;
}

}  // namespace fl::vm
