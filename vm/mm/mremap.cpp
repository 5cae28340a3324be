// mremap(2): shrink, grow in place, or move with the pages. Linux counterpart: mm/mremap.c.
// Moving takes the page-table entries along, so the pages do not fault again (rules, section J).
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

}  // namespace

Result<VirtAddr> AddressSpace::move_area(VmArea& area, VirtAddr old_addr, uint32_t old_length, VirtAddr new_addr,
                                         uint32_t new_length, uint32_t flags, FaultCounters& task) {
  if (areas_.size() >= kMaxMapCount - 3) {
    return fail(Errno::kENOMEM);
  }
  AreaEditor editor(*this);
  AreaShape shape = area;
  shape.start = new_addr;
  shape.end = new_addr + new_length;
  // An anonymous area without pages of its own takes the offset of its new place, so that it can merge there.
  shape.pgoff = area.anonymous() && !area.has_anon_vma() ? new_addr.vpn() : area.page_index(old_addr);
  const bool locked = area.has(VmFlag::kLocked);
  FL_TRY_ASSIGN(VmArea* const moved, editor.add_copy(shape, area));
  const uint32_t moved_length = std::min(old_length, new_length);
  if (moved_length != 0) {
    if (const Status done = move_page_tables(*this, old_addr, new_addr, moved_length); !done) {
      // The tables made so far go with the area; it is unmapped whole, so this cannot fail.
      static_cast<void>(munmap(new_addr, new_length));
      return fail(done.error());
    }
  }
  // The old range has no entries left, so merging and unmapping it drops nothing.
  editor.merge(moved);
  if (old_length != 0) {
    if ((flags & MremapFlag::kDontUnmap) != 0) {
      if (VmArea* left = areas_.lookup(old_addr); left != nullptr && old_length == left->pages() << kPageShift) {
        unlink_anon_vmas(*left);
        editor.set_flags(left, left->flags & ~kVmLockFlags);
        editor.merge(left);
      }
    } else {
      // Without memory for a split the empty area stays, as it does on Linux.
      static_cast<void>(munmap(old_addr, old_length));
    }
  }
  if (locked && new_length > old_length) {
    static_cast<void>(populate(*this, new_addr + old_length, new_length - old_length, task));
  }
  return new_addr;
}

Result<VirtAddr> AddressSpace::mremap(VirtAddr old_addr, uint32_t old_length, uint32_t new_length, uint32_t flags,
                                      VirtAddr new_addr, FaultCounters& task) {
  const MmCall call(*this);
  constexpr uint32_t kKnown = MremapFlag::kMayMove | MremapFlag::kFixed | MremapFlag::kDontUnmap;
  const bool fixed = (flags & MremapFlag::kFixed) != 0;
  const bool may_move = (flags & MremapFlag::kMayMove) != 0;
  const bool dont_unmap = (flags & MremapFlag::kDontUnmap) != 0;
  if ((flags & ~kKnown) != 0 || ((fixed || dont_unmap) && !may_move) || !old_addr.page_aligned() ||
      (dont_unmap && old_length != new_length)) {
    return fail(Errno::kEINVAL);
  }
  const uint64_t old_bytes = page_align_up(old_length);
  const uint64_t new_bytes = page_align_up(new_length);
  if (new_bytes == 0) {
    return fail(Errno::kEINVAL);
  }
  const VmArea* old_area = areas_.lookup(old_addr);
  if (old_area == nullptr) {
    return fail(Errno::kEFAULT);
  }
  if (new_bytes > mmu::kTaskSize) {
    return fail(fixed || dont_unmap                    ? Errno::kEINVAL
                : old_bytes > old_area->end - old_addr ? Errno::kEFAULT
                                                       : Errno::kENOMEM);
  }
  if (old_bytes > mmu::kTaskSize) {
    return fail(Errno::kEINVAL);  // shrinking would unmap beyond user space
  }
  auto old_size = static_cast<uint32_t>(old_bytes);
  const auto new_size = static_cast<uint32_t>(new_bytes);

  if (fixed || dont_unmap) {
    if (!new_addr.page_aligned() || new_addr.value() > mmu::kTaskSize - new_size) {
      return fail(Errno::kEINVAL);
    }
    if (uint64_t{old_addr.value()} + old_size > new_addr.value() &&
        uint64_t{new_addr.value()} + new_size > old_addr.value()) {
      return fail(Errno::kEINVAL);  // the ranges overlap
    }
  }
  if (fixed) {
    if (new_addr.value() < kMmapMinAddr && !may_map_low_) {
      return fail(Errno::kEPERM);
    }
    FL_TRY(munmap(new_addr, new_size));
  }
  // Shrinking cuts the tail off first.
  if (old_size > new_size) {
    FL_TRY(munmap(old_addr + new_size, old_size - new_size));
    old_size = new_size;
  }
  VmArea* area = areas_.lookup(old_addr);
  if (area == nullptr) {
    return fail(Errno::kEFAULT);
  }
  if (old_size == new_size && !fixed && !dont_unmap) {
    return old_addr;
  }

  // Linux: vma_to_resize.
  if (old_size == 0 && !area->has(VmFlag::kShared | VmFlag::kMayShare)) {
    return fail(Errno::kEINVAL);
  }
  if (dont_unmap && area->has(VmFlag::kDontExpand | VmFlag::kPfnMap)) {
    return fail(Errno::kEINVAL);
  }
  if (old_size > area->end - old_addr) {
    return fail(Errno::kEFAULT);
  }
  if (new_size != old_size) {
    const uint32_t first_page = area->page_index(old_addr);
    if (area->file != nullptr && first_page + (new_size >> kPageShift) < first_page) {
      return fail(Errno::kEINVAL);
    }
    if (area->has(VmFlag::kDontExpand | VmFlag::kPfnMap)) {
      return fail(Errno::kEFAULT);
    }
    if (area->has(VmFlag::kLocked) && !may_lock(new_size - old_size)) {
      return fail(Errno::kEAGAIN);
    }
  }
  const uint32_t more_pages = dont_unmap ? new_size >> kPageShift : (new_size - old_size) >> kPageShift;
  if (!may_expand(area->flags, more_pages)) {
    return fail(Errno::kENOMEM);
  }

  if (!fixed && !dont_unmap && old_size == area->end - old_addr) {
    const uint64_t end = uint64_t{area->end.value()} + (new_size - old_size);
    const VmArea* next = area->next;
    if (end <= mmu::kTaskSize && (next == nullptr || end <= next->start.value())) {
      const bool locked = area->has(VmFlag::kLocked);
      const VirtAddr fresh = area->end;
      AreaEditor editor(*this);
      editor.resize(area, area->start, VirtAddr(static_cast<uint32_t>(end)));
      editor.merge(area);
      if (locked) {
        static_cast<void>(populate(*this, fresh, new_size - old_size, task));
      }
      return old_addr;
    }
  }
  if (!may_move) {
    return fail(Errno::kENOMEM);
  }
  if (!fixed) {
    FL_TRY_ASSIGN(new_addr, unmapped_area(dont_unmap ? new_addr : VirtAddr(0), new_size));
  }
  return move_area(*area, old_addr, old_size, new_addr, new_size, flags, task);
}

}  // namespace fl::vm
