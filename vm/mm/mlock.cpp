// mlock(2), munlock(2), mlockall(2): VM_LOCKED on areas, and faulting their pages in. Linux counterpart: mm/mlock.c.
// Locked pages stand on the unevictable list, as long as a locked area maps them.
#include "mmu/layout.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/area_editor.hpp"
#include "vm/rmap_walk.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm {
namespace {

// The pages that the area maps become locked, or are no longer if no other area locks them. Linux:
// mlock_vma_pages_range.
void mlock_area_pages(AddressSpace& mm, const VmArea& area) {
  MemorySystem& memory = mm.memory();
  mm.tables().for_each(area.start, area.end.value(), [&](VirtAddr, mmu::Pte& pte) {
    if (!pte.present() || pte.special()) {
      return;
    }
    if (area.has(VmFlag::kLocked)) {
      memory.lru().mlock(pte.pfn());
    } else if (memory.page(pte.pfn()).has(PageFlag::kMlocked) && !mapped_by_locked_area(memory, pte.pfn())) {
      memory.lru().munlock(pte.pfn());
    }
  });
}

// Changes the lock flags of an area, and its pages with them. Linux: mlock_fixup.
void change_locks(AreaEditor& editor, AddressSpace& mm, VmArea* area, uint32_t flags) {
  const bool changes = ((area->flags ^ flags) & VmFlag::kLocked) != 0;
  editor.set_flags(area, flags);
  if (changes) {
    mlock_area_pages(mm, *area);
  }
}

constexpr uint32_t kMclCurrent = 1;
constexpr uint32_t kMclFuture = 2;
constexpr uint32_t kMclOnFault = 4;

struct PageRange {
  VirtAddr start;
  uint64_t bytes;
};

PageRange whole_pages(VirtAddr addr, uint32_t length) {
  return {addr.page(), page_align_up(uint64_t{length} + addr.page_offset())};
}

}  // namespace

bool AddressSpace::may_lock(uint32_t bytes) const {
  if (limits_.memlock == kUnlimited || may_map_low_) {  // CAP_IPC_LOCK goes with the same user
    return true;
  }
  return (uint64_t{use_.locked_vm} << kPageShift) + bytes <= limits_.memlock;
}

Status AddressSpace::set_lock_flags(VirtAddr addr, uint64_t length, uint32_t lock_flags) {
  if (length == 0) {
    return {};
  }
  if (addr.value() + length >= 0x100000000ull) {
    return fail(Errno::kEINVAL);
  }
  const uint64_t end = addr.value() + length;
  VmArea* area = areas_.lookup(addr);
  AreaEditor editor(*this);
  for (uint64_t at = addr.value(); at < end;) {
    if (area == nullptr || area->start.value() > at) {
      return fail(Errno::kENOMEM);
    }
    const uint64_t stop = std::min<uint64_t>(area->end.value(), end);
    const uint32_t flags = (area->flags & ~kVmLockFlags) | lock_flags;
    // Special areas are never locked. Linux: mlock_fixup.
    if (flags != area->flags && !area->has(VmFlag::kPfnMap | VmFlag::kDontExpand)) {
      FL_TRY_ASSIGN(area,
                    editor.isolate(area, VirtAddr(static_cast<uint32_t>(at)), VirtAddr(static_cast<uint32_t>(stop))));
      change_locks(editor, *this, area, flags);
      editor.merge(area);
    }
    at = stop;
    area = areas_.find(VirtAddr(static_cast<uint32_t>(at)));
  }
  return {};
}

Status AddressSpace::mlock(VirtAddr addr, uint32_t length, FaultCounters& task, LockPages pages) {
  const MmCall call(*this);
  if (limits_.memlock == 0 && !may_map_low_) {
    return fail(Errno::kEPERM);
  }
  const PageRange range = whole_pages(addr, length);
  if (range.bytes > mmu::kTaskSize) {
    return fail(Errno::kENOMEM);
  }
  const auto bytes = static_cast<uint32_t>(range.bytes);
  if (!may_lock(bytes)) {
    // What is locked already does not count twice.
    const uint64_t end = range.start.value() + range.bytes;
    uint32_t locked = 0;
    for (const VmArea* area = areas_.find(range.start); area != nullptr && area->start.value() < end;
         area = area->next) {
      if (area->has(VmFlag::kLocked)) {
        locked += static_cast<uint32_t>(std::min<uint64_t>(area->end.value(), end)) -
                  std::max(area->start, range.start).value();
      }
    }
    if (!may_lock(bytes - std::min(bytes, locked))) {
      return fail(Errno::kENOMEM);
    }
  }
  const uint32_t flags = pages == LockPages::kOnFault ? kVmLockFlags : uint32_t{VmFlag::kLocked};
  FL_TRY(set_lock_flags(range.start, range.bytes, flags));
  if (const Status done = populate(*this, range.start, static_cast<uint32_t>(range.bytes), task); !done) {
    // Linux: __mlock_posix_error_return.
    return fail(done.error() == Errno::kEFAULT   ? Errno::kENOMEM
                : done.error() == Errno::kENOMEM ? Errno::kEAGAIN
                                                 : done.error());
  }
  return {};
}

Status AddressSpace::munlock(VirtAddr addr, uint32_t length) {
  const MmCall call(*this);
  const PageRange range = whole_pages(addr, length);
  return set_lock_flags(range.start, range.bytes, 0);
}

Status AddressSpace::mlockall(uint32_t flags, FaultCounters& task) {
  const MmCall call(*this);
  if (flags == 0 || (flags & ~(kMclCurrent | kMclFuture | kMclOnFault)) != 0 || flags == kMclOnFault) {
    return fail(Errno::kEINVAL);
  }
  if (limits_.memlock == 0 && !may_map_low_) {
    return fail(Errno::kEPERM);
  }
  const uint64_t all = uint64_t{use_.total_vm} << kPageShift;
  if ((flags & kMclCurrent) != 0 && limits_.memlock != kUnlimited && !may_map_low_ && all > limits_.memlock) {
    return fail(Errno::kENOMEM);
  }
  const uint32_t lock_flags = (flags & kMclOnFault) != 0 ? kVmLockFlags : uint32_t{VmFlag::kLocked};
  default_flags_ = (flags & kMclFuture) != 0 ? lock_flags : 0u;
  if ((flags & kMclCurrent) == 0) {
    return {};
  }
  AreaEditor editor(*this);
  for (VmArea* area = areas_.first(); area != nullptr; area = area->next) {
    if (!area->has(VmFlag::kPfnMap | VmFlag::kDontExpand)) {
      change_locks(editor, *this, area, (area->flags & ~kVmLockFlags) | lock_flags);
      area = editor.merge(area);
    }
  }
  for (VmArea* area = areas_.first(); area != nullptr; area = area->next) {
    // As mm_populate: areas that cannot be read are passed over. The vDSO, which is never locked, is faulted in even by
    // MCL_ONFAULT.
    static_cast<void>(populate(*this, area->start, area->end - area->start, task));
  }
  return {};
}

Status AddressSpace::munlockall() {
  const MmCall call(*this);
  default_flags_ = 0;
  AreaEditor editor(*this);
  for (VmArea* area = areas_.first(); area != nullptr; area = area->next) {
    change_locks(editor, *this, area, area->flags & ~kVmLockFlags);
    area = editor.merge(area);
  }
  return {};
}

}  // namespace fl::vm
