// mremap(2): shrink, grow in place, or move with the pages. Linux counterpart: mm/mremap.c.
// Moving takes the page-table entries along, so the pages do not fault again (rules, section J).
//
// Since 6.17 (KernelProfile::mremap_moves_many) all arguments and the area are checked before anything is unmapped, and
// a move of equal size takes all areas of the range along. Before, the area is found first, then the new place is
// cleared, and only then is the area checked.
#include "mmu/layout.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/area_editor.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm {
namespace {

// Moves the entries of [from, from + length) to `to`; tables for them are made as needed. Linux: move_page_tables.
Status move_page_tables(AddressSpace& mm, VirtAddr from, VirtAddr to, uint32_t length) {
  // Make all tables first: after that nothing can fail half-way.
  for (uint64_t at = 0; at < length; at += mmu::kPgdirSize) {
    FL_TRY(mm.tables().find_or_create(to + static_cast<uint32_t>(at)));
  }
  FL_TRY(mm.tables().find_or_create(to + (length - kPageSize)));
  bool flush = false;
  mm.tables().for_each(from, uint64_t{from.value()} + length, [&](VirtAddr va, mmu::Pte& pte) {
    *mm.tables().find(to + (va - from)) = pte;
    flush = flush || pte.accessed();
    pte = mmu::Pte();
  });
  if (flush) {
    mm.memory().tlb().flush();
  }
  return {};
}

constexpr uint32_t kToNewPlace = MremapFlag::kFixed | MremapFlag::kDontUnmap;

// Linux: the checks of mremap_to, check_mremap_params.
Status check_new_place(const MremapRequest& call) {
  if (!call.new_addr.page_aligned() || call.new_size > mmu::kTaskSize ||
      call.new_addr.value() > mmu::kTaskSize - call.new_size ||
      (call.old_addr.value() + call.old_size > call.new_addr.value() &&
       call.new_addr.value() + call.new_size > call.old_addr.value())) {
    return fail(Errno::kEINVAL);
  }
  return {};
}

}  // namespace

Result<VirtAddr> AddressSpace::move_area(VmArea& area, const MremapRequest& call, FaultCounters& task) {
  if (areas_.size() >= memory_.max_map_count() - 3) {
    return fail(Errno::kENOMEM);
  }
  const auto old_length = static_cast<uint32_t>(call.old_size), new_length = static_cast<uint32_t>(call.new_size);
  const bool dont_unmap = (call.flags & MremapFlag::kDontUnmap) != 0;
  if (area.has(VmFlag::kAccount)) {
    FL_TRY(memory_.overcommit().enough_memory(this, (new_length - (dont_unmap ? 0 : old_length)) >> kPageShift));
  }
  AreaEditor editor(*this);
  AreaShape shape = area;
  shape.start = call.new_addr;
  shape.end = call.new_addr + new_length;
  // An anonymous area without pages of its own takes the offset of its new place, so that it can merge there.
  shape.pgoff = area.anonymous() && !area.has_anon_vma() ? call.new_addr.vpn() : area.page_index(call.old_addr);
  const bool locked = area.has(VmFlag::kLocked);
  FL_TRY_ASSIGN(VmArea* const moved, editor.add_copy(shape, area));
  const uint32_t moved_length = std::min(old_length, new_length);
  if (moved_length != 0) {
    if (const Status done = move_page_tables(*this, call.old_addr, call.new_addr, moved_length); !done) {
      // The tables made so far go with the area; it is unmapped whole, so this cannot fail.
      static_cast<void>(munmap(call.new_addr, new_length));
      return fail(done.error());
    }
  }
  // The old range has no entries left, so merging and unmapping it drops nothing.
  editor.merge(moved);
  if (old_length != 0) {
    if (dont_unmap) {
      if (VmArea* left = areas_.lookup(call.old_addr); left != nullptr) {
        // Linux: dontunmap_complete. Only an area that was moved whole forgets its pages' AnonVma.
        const bool whole = left->start == call.old_addr && old_length == left->pages() << kPageShift;
        editor.set_flags(left, left->flags & ~kVmLockFlags);
        if (whole) {
          unlink_anon_vmas(*left);
        }
        editor.merge(left);
      }
    } else {
      // Without memory for a split the empty area stays, as it does on Linux.
      static_cast<void>(munmap(call.old_addr, old_length));
    }
  }
  if (locked && new_length > old_length) {
    static_cast<void>(populate(*this, call.new_addr + old_length, new_length - old_length, task));
  }
  return call.new_addr;
}

Status AddressSpace::check_resize(const VmArea& area, const MremapRequest& call) const {
  if (call.old_size == 0 && !area.has(VmFlag::kShared | VmFlag::kMayShare)) {
    return fail(Errno::kEINVAL);
  }
  if ((call.flags & MremapFlag::kDontUnmap) != 0 && area.has(VmFlag::kDontExpand | VmFlag::kPfnMap)) {
    return fail(Errno::kEINVAL);
  }
  // What shrinking cuts off may cross borders and holes.
  if (std::min(call.old_size, call.new_size) > area.end - call.old_addr) {
    return fail(Errno::kEFAULT);
  }
  if (call.new_size == call.old_size) {
    return {};
  }
  const uint32_t first_page = area.page_index(call.old_addr);
  if (uint64_t{first_page} + (call.new_size >> kPageShift) > UINT32_MAX) {
    return fail(Errno::kEINVAL);
  }
  if (area.has(VmFlag::kDontExpand | VmFlag::kPfnMap)) {
    return fail(Errno::kEFAULT);
  }
  // Of a shrinking move newer kernels ask for the difference too.
  const uint64_t more = std::max(call.new_size, call.old_size) - std::min(call.new_size, call.old_size);
  if (more > mmu::kTaskSize) {
    return fail(Errno::kENOMEM);
  }
  if (area.has(VmFlag::kLocked) && !may_lock(static_cast<uint32_t>(more))) {
    return fail(Errno::kEAGAIN);
  }
  return may_expand(area.flags, static_cast<uint32_t>(more >> kPageShift)) ? Status() : Status(fail(Errno::kENOMEM));
}

// Linux: mremap_to.
Result<VirtAddr> AddressSpace::mremap_to(MremapRequest call, FaultCounters& task) {
  const bool fixed = (call.flags & MremapFlag::kFixed) != 0;
  const bool checked_first = memory_.profile().mremap_moves_many;
  if (checked_first) {
    const VmArea* area = areas_.lookup(call.old_addr);
    if (area == nullptr) {
      return fail(Errno::kEFAULT);
    }
    FL_TRY(check_resize(*area, call));
  }
  if (areas_.size() + 2 >= memory_.max_map_count() - 3) {
    return fail(Errno::kENOMEM);
  }
  if (fixed) {
    FL_TRY(munmap(call.new_addr, static_cast<uint32_t>(call.new_size)));
  }
  if (call.old_size > call.new_size) {
    if (call.old_size > mmu::kTaskSize) {
      return fail(Errno::kEINVAL);
    }
    FL_TRY(munmap(call.old_addr + static_cast<uint32_t>(call.new_size),
                  static_cast<uint32_t>(call.old_size - call.new_size)));
    call.old_size = call.new_size;
  }
  VmArea* const area = areas_.lookup(call.old_addr);
  if (area == nullptr) {
    return fail(Errno::kEFAULT);
  }
  if (!checked_first) {
    FL_TRY(check_resize(*area, call));
  }
  if ((call.flags & MremapFlag::kDontUnmap) != 0 &&
      !may_expand(area->flags, static_cast<uint32_t>(call.old_size >> kPageShift))) {
    return fail(Errno::kENOMEM);
  }
  FL_TRY_ASSIGN(call.new_addr, choose_address(call.new_addr, static_cast<uint32_t>(call.new_size),
                                              fixed ? uint32_t{MapFlag::kFixed} : 0u));
  return move_area(*area, call, task);
}

// Every area of the range, the holes between them kept. Linux: remap_move.
Result<VirtAddr> AddressSpace::mremap_many(const MremapRequest& call, FaultCounters& task) {
  const uint64_t end = call.old_addr.value() + call.old_size;
  bool moved = false;
  for (uint64_t at = call.old_addr.value(); at < end;) {
    const VmArea* const area = areas_.find(VirtAddr(static_cast<uint32_t>(at)));
    if (area == nullptr || area->start.value() >= end) {
      break;
    }
    if (!moved && area->start.value() > at) {
      return fail(Errno::kEFAULT);
    }
    const VirtAddr from = std::max(area->start, VirtAddr(static_cast<uint32_t>(at)));
    const uint64_t stop = std::min<uint64_t>(area->end.value(), end);
    MremapRequest one = call;
    one.old_addr = from;
    one.old_size = one.new_size = stop - from.value();
    one.new_addr = call.new_addr + (from - call.old_addr);
    FL_TRY(mremap_to(one, task));
    moved = true;
    at = stop;
  }
  return moved ? Result<VirtAddr>(call.new_addr) : fail(Errno::kEFAULT);
}

Result<VirtAddr> AddressSpace::mremap(VirtAddr old_addr, uint32_t old_length, uint32_t new_length, uint32_t flags,
                                      VirtAddr new_addr, FaultCounters& task) {
  const MmCall verified(*this);
  constexpr uint32_t kKnown = MremapFlag::kMayMove | kToNewPlace;
  const bool to_new_place = (flags & kToNewPlace) != 0;
  const bool may_move = (flags & MremapFlag::kMayMove) != 0;
  const bool newer = memory_.profile().mremap_moves_many;
  // In a 32-bit kernel rounding up may give 0.
  const uint64_t widest = memory_.profile().kernel_pointer_bytes == 4 ? UINT32_MAX : UINT64_MAX;
  MremapRequest call{.old_addr = old_addr,
                     .old_size = page_align_up(old_length) & widest,
                     .new_size = page_align_up(new_length) & widest,
                     .flags = flags,
                     .new_addr = new_addr};
  // Whether the lengths of MREMAP_DONTUNMAP are compared in bytes or in pages.
  const bool resized = newer ? call.old_size != call.new_size : old_length != new_length;
  if ((flags & ~kKnown) != 0 || (to_new_place && !may_move) || !old_addr.page_aligned() ||
      ((flags & MremapFlag::kDontUnmap) != 0 && resized) || call.new_size == 0) {
    return fail(Errno::kEINVAL);
  }
  if (newer) {
    if (call.new_size > mmu::kTaskSize) {
      return fail(Errno::kEINVAL);
    }
    if (to_new_place) {
      FL_TRY(check_new_place(call));
      const bool move_only = (flags & MremapFlag::kFixed) != 0 && call.old_size == call.new_size;
      return move_only ? mremap_many(call, task) : mremap_to(call, task);
    }
  }
  VmArea* area = areas_.lookup(old_addr);
  if (area == nullptr) {
    return fail(Errno::kEFAULT);
  }
  if (to_new_place) {
    FL_TRY(check_new_place(call));
    return mremap_to(call, task);
  }
  if (call.old_size >= call.new_size) {
    if (call.old_size != call.new_size) {
      if (call.old_size > mmu::kTaskSize) {
        return fail(Errno::kEINVAL);  // shrinking would unmap beyond user space
      }
      FL_TRY(munmap(old_addr + static_cast<uint32_t>(call.new_size),
                    static_cast<uint32_t>(call.old_size - call.new_size)));
    }
    return old_addr;
  }
  FL_TRY(check_resize(*area, call));

  const auto more = static_cast<uint32_t>(call.new_size - call.old_size);
  if (call.old_size == area->end - old_addr) {
    const uint64_t end = uint64_t{area->end.value()} + more;
    const VmArea* next = area->next;
    if (end <= mmu::kTaskSize && (next == nullptr || end <= next->start.value())) {
      if (area->has(VmFlag::kAccount)) {
        FL_TRY(memory_.overcommit().enough_memory(this, more >> kPageShift));
      }
      const bool locked = area->has(VmFlag::kLocked);
      const VirtAddr fresh = area->end;
      AreaEditor editor(*this);
      editor.resize(area, area->start, VirtAddr(static_cast<uint32_t>(end)));
      editor.merge(area);
      if (locked) {
        static_cast<void>(populate(*this, fresh, more, task));
      }
      return old_addr;
    }
  }
  if (!may_move) {
    return fail(Errno::kENOMEM);
  }
  FL_TRY_ASSIGN(call.new_addr, unmapped_area(VirtAddr(0), static_cast<uint32_t>(call.new_size)));
  return move_area(*area, call, task);
}

}  // namespace fl::vm
