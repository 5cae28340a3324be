// fork's half of memory: a second address space with the same areas, and copy-on-write entries where pages would not be
// found again by themselves (rules H1 to H3). Linux counterpart: dup_mmap (kernel/fork.c), copy_page_range,
// copy_present_pte (mm/memory.c).
#include <algorithm>
#include <optional>

#include "mmu/layout.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/area_editor.hpp"
#include "vm/rmap.hpp"
#include "vm/swap/swap_space.hpp"
#include "vm/swap/swapin_error.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm {
namespace {

using mmu::Pte;

// Pages that a fault would not bring back: private ones that were written, and frames without a struct page. Linux:
// vma_needs_copy.
bool needs_copy(const VmArea& area) { return area.has(VmFlag::kPfnMap) || area.has_anon_vma(); }

// A store to the area's pages makes a private copy. Linux: is_cow_mapping.
bool is_cow_mapping(const VmArea& area) {
  return (area.flags & (VmFlag::kShared | VmFlag::kMayWrite)) == VmFlag::kMayWrite;
}

// The entries of one area, table by table.
class EntryCopy {
 public:
  EntryCopy(const VmArea& from, VmArea& to) : from_(from), to_(to), cow_(is_cow_mapping(from)) {}

  // ENOMEM: there is no frame for a table of the child.
  Status run() {
    for (uint64_t at = from_.start.value(); at < from_.end.value();) {
      const uint64_t table_end = (at & ~uint64_t{mmu::kPgdirSize - 1}) + mmu::kPgdirSize;
      const uint64_t stop = std::min<uint64_t>(table_end, from_.end.value());
      const VirtAddr va(static_cast<uint32_t>(at));
      if (Pte* const source = from_.mm->tables().find(va); source != nullptr) {
        FL_TRY_ASSIGN(Pte* const target, to_.mm->tables().find_or_create(va));
        FL_TRY(copy(source, target, static_cast<uint32_t>((stop - at) >> kPageShift)));
      }
      at = stop;
    }
    return {};
  }
  // An entry that the processor may know has lost the right to write.
  bool flush_needed() const { return flush_; }

 private:
  Status copy(Pte* source, Pte* target, uint32_t count) {
    for (; count > 0; --count, ++source, ++target) {
      if (source->present()) {
        *target = copy_present(*source);
      } else if (source->swap()) {
        FL_TRY_ASSIGN(*target, copy_swap(*source));
      }
    }
    return {};
  }
  // Linux: copy_nonpresent_pte.
  Result<Pte> copy_swap(Pte& source) {
    SwapSpace& swap = from_.mm->memory().swap();
    const SwapEntry entry = pte_to_swp_entry(source);
    if (non_swap_entry(entry)) {
      return source;
    }
    if (!swap.swap_duplicate(entry)) {
      FL_TRY(swap.add_swap_count_continuation(entry, kGfpKernel));
      FL_TRY(swap.swap_duplicate(entry));
    }
    ++to_.mm->use_mutable().swap_entries;
    source = pte_swp_clear_exclusive(source);
    return source;
  }
  Pte copy_present(Pte& source) {
    if (!source.special()) {
      dup_mapping(to_, source.pfn());
    }
    if (cow_ && source.writable()) {
      flush_ = flush_ || source.accessed();
      source = source.without(Pte::kWritable);
    }
    return source.without(from_.shared() ? Pte::kAccessed | Pte::kDirty : uint32_t{Pte::kAccessed});
  }

  const VmArea& from_;
  VmArea& to_;
  bool cow_;
  bool flush_ = false;
};

// The area as the child gets it. Locks are not inherited.
AreaShape shape_for_child(const VmArea& area) {
  AreaShape shape = area;
  shape.flags &= ~kVmLockFlags;
  return shape;
}

}  // namespace

Result<AddressSpace::Ptr> AddressSpace::fork() {
  const MmCall call(*this);
  FL_TRY_ASSIGN(Ptr child, create(memory_, limits_));
  child->layout_ = layout_;
  child->mmap_base_ = mmap_base_;
  child->read_implies_exec_ = read_implies_exec_;
  child->may_map_low_ = may_map_low_;
  child->came_by_fork_ = true;

  AreaEditor editor(*child);
  bool flush = false;
  std::optional<Errno> failed;
  for (VmArea* area = areas_.first(); area != nullptr && !failed; area = area->next) {
    if (area->has(VmFlag::kDontCopy)) {
      continue;
    }
    if (area->has(VmFlag::kAccount)) {
      if (const Status promised = memory_.overcommit().enough_memory(this, area->pages()); !promised) {
        failed = promised.error();
        break;
      }
    }
    const bool wiped = area->has(VmFlag::kWipeOnFork);
    const auto added = wiped ? editor.add(shape_for_child(*area)) : editor.add_forked(shape_for_child(*area), *area);
    if (!added) {
      failed = added.error();
    } else if (!wiped && needs_copy(*area)) {
      EntryCopy entries(*area, **added);
      if (const auto copied = entries.run(); !copied) {
        failed = copied.error();
      }
      flush = flush || entries.flush_needed();
    }
  }
  if (flush) {
    memory_.tlb().flush();
  }
  if (failed) {
    return fail(*failed);
  }
  return child;
}

}  // namespace fl::vm
