// Faulting pages in without the CPU: for execve's arguments, MAP_POPULATE, mlock, MADV_POPULATE_*. These faults count
// in rusage but are no page-fault events (rule A2). Linux counterpart: mm/gup.c.
#include "mmu/layout.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/memory_system.hpp"

namespace fl::vm {
namespace {

using mmu::PageFaultError;

mmu::Pte present_entry(const AddressSpace& mm, VirtAddr addr) {
  const mmu::Pte* pte = mmu::is_kernel_address(addr) ? nullptr : mm.tables().find(addr);
  return pte != nullptr ? *pte : mmu::Pte();
}

}  // namespace

tl::expected<Pfn, FaultResult> get_user_page(AddressSpace& mm, VirtAddr addr, mmu::Access access, FaultCounters& task,
                                             Retried retried) {
  // At most: read fault, then copy on write. More would be a page that does not stay.
  for (int tries = 0; tries < 3; ++tries) {
    const mmu::Pte pte = present_entry(mm, addr);
    if (pte.hw_present() && (access != mmu::Access::kWrite || pte.writable())) {
      return pte.pfn();
    }
    const uint32_t error_code = (pte.hw_present() ? uint32_t{PageFaultError::kProtection} : 0u) |
                                (access == mmu::Access::kWrite ? uint32_t{PageFaultError::kWrite} : 0u);
    const FaultResult result = handle_page_fault(mm, addr, access, error_code, FaultMode::kGup, task, retried);
    if (is_error(result)) {
      return tl::make_unexpected(result);
    }
  }
  FL_CHECK(false, "page {:#x} is absent again after it was faulted in", addr.value());
}

namespace {

// Linux: check_vma_flags without FOLL_FORCE.
bool gup_allowed(const VmArea& area, mmu::Access access) {
  return !area.has(VmFlag::kPfnMap) &&
         area.has(access == mmu::Access::kWrite ? uint32_t{VmFlag::kWrite} : uint32_t{VmFlag::kRead});
}

Status touch_range(AddressSpace& mm, VirtAddr start, VirtAddr end, mmu::Access access, FaultCounters& task) {
  for (VirtAddr at = start; at < end; at += kPageSize) {
    const auto page = get_user_page(mm, at, access, task, Retried::kForgotten);
    if (!page) {
      return fail(page.error() == FaultResult::kOom ? Errno::kENOMEM : Errno::kEFAULT);
    }
  }
  return {};
}

}  // namespace

Status populate(AddressSpace& mm, VirtAddr start, uint32_t length, FaultCounters& task) {
  const uint64_t end = uint64_t{start.value()} + page_align_up(length);
  for (uint64_t at = start.value(); at < end;) {
    VmArea* area = mm.areas().find(VirtAddr(static_cast<uint32_t>(at)));
    if (area == nullptr || area->start.value() >= end) {
      break;
    }
    const VirtAddr from(static_cast<uint32_t>(std::max<uint64_t>(at, area->start.value())));
    const VirtAddr to(static_cast<uint32_t>(std::min<uint64_t>(end, area->end.value())));
    at = to.value();
    // What is locked page by page may be unreadable.
    if (area->has(VmFlag::kPfnMap | VmFlag::kLockOnFault)) {
      continue;
    }
    if (!area->accessible()) {
      return fail(Errno::kEFAULT);
    }
    // Private writable memory is written, so that copies are made now. Linux: populate_vma_page_range.
    const bool write = (area->flags & (VmFlag::kWrite | VmFlag::kShared)) == VmFlag::kWrite;
    FL_TRY(touch_range(mm, from, to, write ? mmu::Access::kWrite : mmu::Access::kRead, task));
  }
  return {};
}

Status populate_access(AddressSpace& mm, VirtAddr start, uint32_t length, mmu::Access access, FaultCounters& task) {
  const uint64_t end = uint64_t{start.value()} + page_align_up(length);
  for (uint64_t at = start.value(); at < end;) {
    VmArea* area = mm.areas().lookup(VirtAddr(static_cast<uint32_t>(at)));
    if (area == nullptr) {
      return fail(Errno::kENOMEM);
    }
    // Linux: faultin_page_range, check_vma_flags, madvise_populate.
    if (!gup_allowed(*area, access)) {
      return fail(Errno::kEINVAL);
    }
    const VirtAddr to(static_cast<uint32_t>(std::min<uint64_t>(end, area->end.value())));
    FL_TRY(touch_range(mm, VirtAddr(static_cast<uint32_t>(at)), to, access, task));
    at = to.value();
  }
  return {};
}

Result<Pfn> pin_user_page(AddressSpace& mm, VirtAddr addr, mmu::Access access, FaultCounters& task) {
  VmArea* const area = mmu::is_kernel_address(addr) ? nullptr : mm.areas().lookup(addr);
  if (area == nullptr || !gup_allowed(*area, access)) {
    return fail(Errno::kEFAULT);
  }
  const auto as_errno = [](FaultResult result) {
    return fail(result == FaultResult::kOom ? Errno::kENOMEM : Errno::kEFAULT);
  };
  if (const auto page = get_user_page(mm, addr, access, task); !page) {
    return as_errno(page.error());
  }
  const mmu::Pte pte = present_entry(mm, addr);
  if (access != mmu::Access::kWrite && !pte.special()) {
    const Page& page = mm.memory().page(pte.pfn());
    if (page.has(PageFlag::kAnon) && !page.has(PageFlag::kAnonExclusive)) {
      if (const FaultResult result = unshare_page(mm, *area, addr, task); is_error(result)) {
        return as_errno(result);
      }
    }
  }
  // The OOM killer may have taken it while a copy was made.
  const mmu::Pte now = present_entry(mm, addr);
  if (!now.hw_present()) {
    return fail(Errno::kEFAULT);
  }
  if (access == mmu::Access::kWrite) {
    // What its slot or file holds is old from now on. Linux: set_page_dirty in follow_page_pte.
    *mm.tables().find(addr) = now.with(mmu::Pte::kDirty);
  }
  return now.pfn();
}

}  // namespace fl::vm
