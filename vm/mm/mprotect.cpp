// mprotect(2). Linux counterpart: do_mprotect_pkey, mprotect_fixup, change_pte_range.
//
// Entries get the area's new protection at once. An exclusive anonymous page of a now writable area is made writable in
// its entry, so that no fault follows; zero pages, file pages and pages once shared by fork are not (rules, section J).
#include "mmu/layout.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/area_editor.hpp"
#include "vm/mm/protection.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm {
namespace {

// Linux: can_change_pte_writable.
bool can_make_writable(MemorySystem& memory, const VmArea& area, mmu::Pte pte) {
  if (!area.has(VmFlag::kWrite) || !pte.hw_present() || pte.special()) {
    return false;
  }
  if ((area.shared() || memory.profile().mprotect_wants_dirty) && !pte.dirty()) {
    return false;
  }
  return area.shared() || memory.page(pte.pfn()).has(PageFlag::kAnonExclusive);
}

void change_protection(AddressSpace& mm, const VmArea& area) {
  MemorySystem& memory = mm.memory();
  const uint32_t protection = page_protection(area, memory.profile());
  bool flush = false;
  mm.tables().for_each(area.start, area.end.value(), [&](VirtAddr, mmu::Pte& pte) {
    if (!pte.present()) {
      return;
    }
    const mmu::Pte old = pte;
    mmu::Pte changed = pte_modify(old, protection);
    if (can_make_writable(memory, area, changed)) {
      changed = changed.with(mmu::Pte::kWritable);
    }
    pte = changed;
    flush = flush || (changed != old && old.accessed());
  });
  if (flush) {
    memory.tlb().flush();
  }
}

}  // namespace

Status AddressSpace::mprotect(VirtAddr addr, uint32_t length, uint32_t prot, FaultCounters& task) {
  const MmCall call(*this);
  const uint32_t grows = prot & (Prot::kGrowsDown | Prot::kGrowsUp);
  prot &= ~grows;
  if (grows == (Prot::kGrowsDown | Prot::kGrowsUp) || !addr.page_aligned()) {
    return fail(Errno::kEINVAL);
  }
  if (length == 0) {
    return {};
  }
  const uint64_t bytes = page_align_up(length);
  if (addr.value() + bytes >= 0x100000000ull) {
    return fail(Errno::kENOMEM);
  }
  if ((prot & ~(Prot::kRead | Prot::kWrite | Prot::kExec | Prot::kSem)) != 0) {
    return fail(Errno::kEINVAL);
  }
  const uint64_t end64 = addr.value() + bytes;
  VmArea* area = areas_.find(addr);
  if (area == nullptr) {
    return fail(Errno::kENOMEM);
  }
  const VirtAddr end(static_cast<uint32_t>(end64));
  if ((grows & Prot::kGrowsDown) != 0) {
    if (area->start >= end) {
      return fail(Errno::kENOMEM);
    }
    addr = area->start;
    if (!area->has(VmFlag::kGrowsDown)) {
      return fail(Errno::kEINVAL);
    }
  } else {
    if (area->start > addr) {
      return fail(Errno::kENOMEM);
    }
    if ((grows & Prot::kGrowsUp) != 0) {
      return fail(Errno::kEINVAL);  // no i386 area grows up
    }
  }

  AreaEditor editor(*this);
  for (VirtAddr at = addr; at < end;) {
    if (area == nullptr || area->start > at) {
      return fail(Errno::kENOMEM);
    }
    uint32_t wanted = prot & kVmAccessFlags;
    if (read_implies_exec_ && (prot & Prot::kRead) != 0 && area->has(VmFlag::kMayExec)) {
      wanted |= VmFlag::kExec;
    }
    uint32_t flags = (area->flags & ~kVmAccessFlags) | wanted;
    if ((flags & ~(flags >> 4) & kVmAccessFlags) != 0) {
      return fail(Errno::kEACCES);  // VM_MAYREAD ... stand four bits above VM_READ ...
    }
    const VirtAddr stop = std::min(area->end, end);
    if (flags != area->flags) {
      const uint32_t pages = (stop - at) >> kPageShift;
      if ((flags & VmFlag::kWrite) != 0) {
        if (!may_expand(flags, pages) && may_expand(area->flags, pages)) {
          return fail(Errno::kENOMEM);
        }
        // From now on it is charged against the commit limit, and stays so if it becomes read-only again (on newer
        // kernels only once it was written).
        if (!area->has(VmFlag::kAccount | VmFlag::kWrite | VmFlag::kShared | VmFlag::kNoReserve)) {
          FL_TRY(memory_.overcommit().enough_memory(this, pages));
          flags |= VmFlag::kAccount;
        }
      } else if (memory_.profile().mprotect_gives_back && area->anonymous() && !area->has_anon_vma()) {
        flags &= ~uint32_t{VmFlag::kAccount};
      }
      constexpr uint32_t kCopied = VmFlag::kWrite | VmFlag::kShared | VmFlag::kLocked;
      const bool copy_now = (area->flags & kCopied) == VmFlag::kLocked && (flags & VmFlag::kWrite) != 0;
      FL_TRY_ASSIGN(area, editor.isolate(area, at, stop));
      editor.set_flags(area, flags);
      change_protection(*this, *area);
      area = editor.merge(area);
      if (copy_now) {
        // A failure is no reason to fail: the accesses will try again.
        static_cast<void>(populate(*this, at, stop - at, task));
      }
    }
    at = stop;
    area = areas_.find(at);
  }
  return {};
}

}  // namespace fl::vm
