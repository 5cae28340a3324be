// madvise(2). Linux counterpart: mm/madvise.c.
//
// DONTNEED drops pages; RANDOM and its like are flags of the area, so they split and merge areas; POPULATE_* faults
// pages in; FREE, COLD and PAGEOUT tell reclaim what to take first (madvise_reclaim.hpp). HWPOISON and SOFT_OFFLINE are
// unknown (EINVAL) to both kernels, which have no CONFIG_MEMORY_FAILURE. Not modelled (EINVAL): COLLAPSE, and
// GUARD_INSTALL and GUARD_REMOVE of 6.13.
#include "mmu/layout.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/area_editor.hpp"
#include "vm/mm/madvise_reclaim.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm {
namespace {

enum Advice : int {
  kNormal = 0,
  kRandom = 1,
  kSequential = 2,
  kWillNeed = 3,
  kDontNeed = 4,
  kFree = 8,
  kRemove = 9,
  kDontFork = 10,
  kDoFork = 11,
  kMergeable = 12,
  kUnmergeable = 13,
  kHugePage = 14,
  kNoHugePage = 15,
  kDontDump = 16,
  kDoDump = 17,
  kWipeOnFork = 18,
  kKeepOnFork = 19,
  kCold = 20,
  kPageOut = 21,
  kPopulateRead = 22,
  kPopulateWrite = 23,
  kDontNeedLocked = 24,
  kCollapse = 25,
};

bool known(int advice) {
  return (advice >= kNormal && advice <= kDontNeed) || advice == kFree || advice == kRemove ||
         (advice >= kDontFork && advice <= kDontNeedLocked);
}

// The flags of the area after an advice that is a flag. Linux: madvise_vma_behavior.
Result<uint32_t> advised_flags(const VmArea& area, int advice) {
  const uint32_t flags = area.flags;
  switch (advice) {
    case kNormal:
      return flags & ~uint32_t{VmFlag::kRandRead | VmFlag::kSeqRead};
    case kSequential:
      return (flags & ~uint32_t{VmFlag::kRandRead}) | VmFlag::kSeqRead;
    case kRandom:
      return (flags & ~uint32_t{VmFlag::kSeqRead}) | VmFlag::kRandRead;
    case kDontFork:
      return flags | VmFlag::kDontCopy;
    case kDoFork:
      return area.has(VmFlag::kPfnMap) ? Result<uint32_t>(fail(Errno::kEINVAL)) : flags & ~uint32_t{VmFlag::kDontCopy};
    case kWipeOnFork:
      return area.file != nullptr || area.shared() ? Result<uint32_t>(fail(Errno::kEINVAL))
                                                   : flags | VmFlag::kWipeOnFork;
    case kKeepOnFork:
      return flags & ~uint32_t{VmFlag::kWipeOnFork};
    case kDontDump:
      return flags | VmFlag::kDontDump;
    case kDoDump:
      return area.has(VmFlag::kPfnMap | VmFlag::kDontExpand) ? Result<uint32_t>(fail(Errno::kEINVAL))
                                                             : flags & ~uint32_t{VmFlag::kDontDump};
    case kMergeable:
      // Linux: ksm_madvise leaves special and shared areas alone.
      return area.has(VmFlag::kShared | VmFlag::kMayShare | VmFlag::kPfnMap | VmFlag::kDontExpand)
                 ? flags
                 : flags | VmFlag::kMergeable;
    case kUnmergeable:
      return flags & ~uint32_t{VmFlag::kMergeable};
    case kHugePage:
      return (flags & ~uint32_t{VmFlag::kNoHugePage}) | VmFlag::kHugePage;
    case kNoHugePage:
      return (flags & ~uint32_t{VmFlag::kHugePage}) | VmFlag::kNoHugePage;
    default:
      return fail(Errno::kEINVAL);
  }
}

// The bytes go from the file too. Linux: madvise_remove.
Status madvise_remove(const VmArea& area, VirtAddr start, VirtAddr end) {
  if (area.has(VmFlag::kLocked) || area.file == nullptr) {
    return fail(Errno::kEINVAL);
  }
  if ((area.flags & (VmFlag::kShared | VmFlag::kWrite)) != (VmFlag::kShared | VmFlag::kWrite)) {
    return fail(Errno::kEACCES);
  }
  const std::shared_ptr<const MappedFile> file = area.file;
  if (file->operations != nullptr) {
    return file->operations->punch_hole(uint64_t{area.page_index(start)} << kPageShift, end - start);
  }
  if (!file->mapping->is_shmem()) {
    return fail(Errno::kEOPNOTSUPP);
  }
  file->mapping->punch_hole(area.page_index(start), area.page_index(end - 1));
  return {};
}

mmu::Access populated_for(int advice) { return advice == kPopulateRead ? mmu::Access::kRead : mmu::Access::kWrite; }

Status advise_area(AddressSpace& mm, VmArea& area, VirtAddr start, VirtAddr end, int advice, FaultCounters& task) {
  switch (advice) {
    case kPopulateRead:
    case kPopulateWrite:
      return populate_access(mm, start, end - start, populated_for(advice), task);
    case kDontNeed:
    case kDontNeedLocked:
      if (area.has(VmFlag::kPfnMap) || (advice == kDontNeed && area.has(VmFlag::kLocked))) {
        return fail(Errno::kEINVAL);
      }
      mm.zap_range(area, start, end);
      return {};
    case kRemove:
      return madvise_remove(area, start, end);
    case kFree:
      if (!area.anonymous() || area.has(VmFlag::kLocked)) {
        return fail(Errno::kEINVAL);
      }
      advise_free(area, start, end);
      return {};
    case kCold:
    case kPageOut:
      if (area.has(VmFlag::kLocked | VmFlag::kPfnMap)) {
        return fail(Errno::kEINVAL);
      }
      if (advice == kCold) {
        advise_cold(area, start, end);
      } else {
        // Whose pages of a file are evicted can be measured by others: only who may write to it. Linux: can_do_pageout.
        advise_pageout(area, start, end, area.file == nullptr || area.file->writable || mm.may_map_low());
      }
      return {};
    case kWillNeed:
      if (area.file != nullptr && !area.file->mapping->is_shmem()) {
        force_page_cache_readahead(*area.file->mapping, area.page_index(start), (end - start) >> kPageShift);
      }
      return {};
    default: {
      FL_TRY_ASSIGN(const uint32_t flags, advised_flags(area, advice));
      if (flags != area.flags) {
        AreaEditor editor(mm);
        FL_TRY_ASSIGN(VmArea* const part, editor.isolate(&area, start, end));
        editor.set_flags(part, flags);
        editor.merge(part);
      }
      return {};
    }
  }
}

}  // namespace

bool AddressSpace::may_advise_others(int advice) {
  return advice == kCold || advice == kPageOut || advice == kWillNeed || advice == kCollapse;
}

Status AddressSpace::madvise(VirtAddr addr, uint32_t length, int advice, FaultCounters& task) {
  const MmCall call(*this);
  const uint64_t bytes = page_align_up(length);
  if (!known(advice) || !addr.page_aligned() || addr.value() + bytes > 0xffffffffull) {
    return fail(Errno::kEINVAL);
  }
  if (bytes == 0) {
    return {};
  }
  const uint64_t end = std::min<uint64_t>(addr.value() + bytes, mmu::kTaskSize);
  if ((advice == kPopulateRead || advice == kPopulateWrite) && !memory_.profile().populate_passes_holes) {
    return populate_access(*this, addr, static_cast<uint32_t>(bytes), populated_for(advice), task);
  }
  // Holes are skipped, and reported at the end. Linux: madvise_walk_vmas.
  Status result = addr.value() + bytes > mmu::kTaskSize ? Status(fail(Errno::kENOMEM)) : Status();
  for (uint64_t at = addr.value(); at < end;) {
    VmArea* area = areas_.find(VirtAddr(static_cast<uint32_t>(at)));
    if (area == nullptr || area->start.value() >= end) {
      return fail(Errno::kENOMEM);
    }
    if (area->start.value() > at) {
      result = fail(Errno::kENOMEM);
      at = area->start.value();
    }
    const uint64_t stop = std::min<uint64_t>(area->end.value(), end);
    FL_TRY(advise_area(*this, *area, VirtAddr(static_cast<uint32_t>(at)), VirtAddr(static_cast<uint32_t>(stop)), advice,
                       task));
    at = stop;
  }
  return result;
}

}  // namespace fl::vm
