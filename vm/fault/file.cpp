// First touch of a file page: read with fault-around, private copy, shared write.
// Linux counterpart: do_read_fault, do_fault_around, filemap_map_pages, do_cow_fault, do_shared_fault, finish_fault.
#include <algorithm>

#include "vm/cache/mapping.hpp"
#include "vm/cache/readahead.hpp"
#include "vm/fault/vm_fault.hpp"
#include "vm/mm/protection.hpp"
#include "vm/phys/page_pin.hpp"
#include "vm/rmap.hpp"

namespace fl::vm {
namespace {

struct Window {
  VirtAddr from;
  VirtAddr to;  // exclusive
};

// Rule D1: aligned by virtual address, starting no earlier than the area, 16 pages long from where it starts, ending
// with the area or the page table.
Window fault_around_window(const VmFault& fault) {
  constexpr uint32_t kWindowBytes = kFaultAroundPages << kPageShift;
  const uint32_t table_bytes = fault.memory().profile().fault_around_table_entries << kPageShift;
  const VirtAddr from = std::max(VirtAddr(fault.addr.value() & ~(kWindowBytes - 1)), fault.area.start);
  const uint64_t table_end = (uint64_t{from.value()} & ~uint64_t{table_bytes - 1}) + table_bytes;
  const uint64_t to = std::min<uint64_t>({uint64_t{from.value()} + kWindowBytes, fault.area.end.value(), table_end});
  return {from, VirtAddr(static_cast<uint32_t>(to))};
}

// What somebody else would rather map, as far as it lies in the area and in the page table.
Window chosen_window(const VmFault& fault, Window window) {
  const VirtAddr table(fault.addr.value() & ~(mmu::kPgdirSize - 1));
  const uint64_t end = std::min<uint64_t>(fault.area.end.value(), uint64_t{table.value()} + mmu::kPgdirSize);
  fault.memory().chooser()->fault_around(fault.area, fault.addr, window.from, window.to);
  window.from = std::clamp(window.from.page(), std::max(fault.area.start, table), fault.addr);
  window.to = std::clamp(window.to.page(), fault.addr + kPageSize, VirtAddr(static_cast<uint32_t>(end)));
  return window;
}

// Maps the page read-only, or writable where the protection allows it (shared memory).
void map_file_page(VmFault& fault, mmu::Pte& pte, Pfn pfn, uint32_t protection) {
  map_cache_page(fault.area, pfn);
  pte = mmu::Pte(pfn, protection);
}

// Maps the cached pages of the window whose entries are empty. Linux: filemap_map_pages. Pages of a host file count as
// cached; getting them here only gives them their frames, and running out of frames ends the window early.
void map_window(VmFault& fault, Window window, uint32_t protection) {
  Mapping& mapping = *fault.area.file->mapping;
  const uint64_t file_pages = mapping.pages();
  FaultAround& around = fault.record.around;
  mmu::Pte* entry = fault.pte - ((fault.addr - window.from) >> kPageShift);
  for (VirtAddr at = window.from; at < window.to; at += kPageSize, ++entry) {
    const uint64_t index = fault.area.page_index(at);
    if (index >= file_pages) {
      break;
    }
    if (!entry->none()) {
      continue;
    }
    uint32_t frame = mapping.find_mappable(index);
    // Nobody waits for the disk here.
    if (frame == kNoPage && !mapping.is_shmem() && mapping.find(index) == kNoPage && !mapping.must_read(index)) {
      const auto got = mapping.get(index, static_cast<uint32_t>((window.to - at) >> kPageShift));
      if (!got) {
        break;
      }
      frame = got->value();
    }
    if (frame == kNoPage) {
      continue;
    }
    map_file_page(fault, *entry, Pfn(frame), protection);
    around.mapped += 1;
  }
  around.from = window.from;
  around.to = window.to - kPageSize;
  uint32_t& misses = fault.area.file->ra.mmap_miss;
  misses -= std::min(misses, around.mapped);
}

// The page that the fault needs. `major` becomes true if a device had to be waited for. Linux: __do_fault.
Result<Pfn> do_fault(VmFault& fault, bool& major) {
  const MappedFile& file = *fault.area.file;
  const uint64_t index = fault.area.page_index(fault.addr);
  if (file.mapping->is_shmem()) {
    return file.mapping->get(index, 1, &major);
  }
  const MmapAccess access{.random = fault.area.has(VmFlag::kRandRead), .sequential = fault.area.has(VmFlag::kSeqRead)};
  FL_TRY_ASSIGN(const FileFault found, filemap_fault(*file.mapping, file.ra, index, access));
  // A fault that holds only its area's lock begins anew with that of the address space, and forgets that it waited.
  const bool begins_anew = fault.memory().profile().per_vma_locks && fault.record.mode == FaultMode::kUser;
  major |= found.missed || (found.retried && !begins_anew);
  return found.pfn;
}

FaultResult finish(VmFault& fault, FaultCause cause, bool major) {
  if (!major) {
    return fault.done(cause);
  }
  return fault.done(fault.area.file->mapping->is_shmem() ? FaultCause::kSwapIn : FaultCause::kFileMajor,
                    FaultResult::kMajor);
}

}  // namespace

FaultResult do_read_fault(VmFault& fault) {
  Mapping& mapping = *fault.area.file->mapping;
  const uint32_t protection = page_protection(fault.area, fault.memory().profile());
  Window window = fault_around_window(fault);
  const uint64_t index = fault.area.page_index(fault.addr);
  const bool is_shmem = mapping.is_shmem();
  const bool existed = !is_shmem || mapping.find_uptodate(index) != kNoPage;

  // The page itself first, so that a machine short of frames has it before its neighbours. One that the window would
  // map, too, is not asked for by itself.
  bool major = false;
  const bool around = fault.area.file->fault_around;
  if (around && fault.memory().chooser() != nullptr) [[unlikely]] {
    window = chosen_window(fault, window);
  }
  if (around && !is_shmem && mapping.find(index) == kNoPage && !mapping.must_read(index)) {
    static_cast<void>(mapping.get(index, static_cast<uint32_t>((window.to - fault.addr) >> kPageShift)));
  }
  const uint32_t frame = around ? mapping.find_mappable(index) : kNoPage;
  const auto pfn = frame != kNoPage ? Result<Pfn>(Pfn(frame)) : do_fault(fault, major);
  if (!pfn) {
    return fault_result(pfn.error(), fault.record);
  }
  map_file_page(fault, *fault.pte, *pfn, protection);
  if (around) {
    fault.record.around.mapped = 1;
    const PagePin pin(fault.memory(), *pfn);
    map_window(fault, window, protection);
  }
  return finish(fault, existed ? FaultCause::kFileRead : FaultCause::kShmem, major);
}

FaultResult do_cow_fault(VmFault& fault) {
  if (const auto prepared = anon_vma_prepare(fault.area); !prepared) {
    return fault_result(prepared.error(), fault.record);
  }
  // The copy's frame first: taking it may drop the cached page, not the other way round.
  const auto copy = fault.alloc_page(kGfpHighUserMovable);
  if (!copy) {
    return fault_result(copy.error(), fault.record);
  }
  bool major = false;
  const auto page = do_fault(fault, major);
  if (!page || fault.reaped()) {
    fault.memory().pages().free_pages(*copy);
    return page ? fault.done_reaped() : fault_result(page.error(), fault.record);
  }
  fault.copy_page(*copy, *page);
  map_new_anon_page(fault.area, fault.addr, *copy);
  const uint32_t protection = page_protection(fault.area, fault.memory().profile());
  *fault.pte = mmu::Pte(*copy, protection | mmu::Pte::kDirty | mmu::Pte::kWritable);
  return finish(fault, FaultCause::kFileCow, major);
}

void fault_dirty_shared_page(VmFault& fault) {
  if (!fault.area.file->mapping->is_shmem()) {
    balance_dirty_pages(fault.memory());
  }
}

FaultResult do_shared_fault(VmFault& fault) {
  Mapping& mapping = *fault.area.file->mapping;
  bool major = false;
  const auto page = do_fault(fault, major);
  if (!page) {
    return fault_result(page.error(), fault.record);
  }
  map_cache_page(fault.area, *page);
  mapping.mark_dirty(*page);
  const uint32_t protection = page_protection(fault.area, fault.memory().profile());
  *fault.pte = mmu::Pte(*page, protection | mmu::Pte::kDirty | mmu::Pte::kWritable);
  fault_dirty_shared_page(fault);
  return finish(fault, mapping.is_shmem() ? FaultCause::kShmem : FaultCause::kSharedWrite, major);
}

}  // namespace fl::vm
