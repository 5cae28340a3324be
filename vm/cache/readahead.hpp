// Which pages of a file are read from the disk, and when: readahead for read(2), read-around for faults. Linux
// counterparts: mm/readahead.c; filemap_fault, do_sync_mmap_readahead, do_async_mmap_readahead and filemap_get_pages of
// mm/filemap.c.
//
// A miss reads a window of pages and marks one of them (PageFlag::kReadahead): whoever comes to the mark asks for the
// next window before it is needed. A stream of reads gets windows that double up to Readahead::pages; a fault gets the
// pages around it. The state belongs to the open file. Pages that are cached without having been read (a "warm" file,
// see Mapping) are no misses.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"

namespace fl::vm {

class Mapping;
class MemorySystem;

// Linux: struct file_ra_state.
struct FileRaState {
  uint64_t start = 0;       // of the last window
  uint32_t size = 0;        // its pages
  uint32_t async_size = 0;  // the next one is asked for when so many of them are left
  uint32_t mmap_miss = 0;   // faults that missed, less those that hit
  int64_t prev_pos = -1;    // where the last read ended
  uint32_t factor = 1;      // of the largest window: 2 after POSIX_FADV_SEQUENTIAL
  bool random = false;      // POSIX_FADV_RANDOM: reads get what they ask for. Linux: FMODE_RANDOM
};

// Linux: POSIX_FADV_*.
enum class FileAdvice : uint32_t { kNormal, kRandom, kSequential, kWillNeed, kDontNeed, kNoReuse };

// What all files have in common. Linux: struct backing_dev_info with VM_READAHEAD_PAGES.
struct Readahead {
  // The largest window. Linux: ra_pages, /sys/block/*/queue/read_ahead_kb / 4.
  uint32_t pages = 32;
  // Files that nobody has read yet are on the disk only. Else all of a file counts as cached.
  bool cold = false;
};

// How an area says that it will be used.
struct MmapAccess {
  bool random = false;      // VM_RAND_READ
  bool sequential = false;  // VM_SEQ_READ
};

// A page that a fault needs, and what had to be done for it.
struct FileFault {
  Pfn pfn;
  bool missed = false;   // it was on the disk only. Linux: VM_FAULT_MAJOR
  bool retried = false;  // it was in flight, or marked: the fault gave up its lock on the way. Linux: VM_FAULT_RETRY
};
// The page in memory: found, read or, in a warm file, given its frame. EFAULT beyond the end; EIO; ENOMEM.
Result<FileFault> filemap_fault(Mapping& mapping, FileRaState& ra, uint64_t index, MmapAccess access);

// Makes page `index` ready to be copied for a read that ends before page `last`; gives the page until which nothing
// has to be waited for. EIO, ENOMEM.
Result<uint64_t> filemap_get_pages(Mapping& mapping, FileRaState& ra, uint64_t index, uint64_t last);

// Asks for pages [index, index + pages) that are on the disk only, and waits for none. Linux: force_page_cache_ra.
void force_page_cache_readahead(Mapping& mapping, uint64_t index, uint64_t pages);

// `length` 0: to the end. kDontNeed: whole pages of the range that nobody uses are on the disk only afterwards.
// kNoReuse says nothing. Linux: generic_fadvise.
void generic_fadvise(Mapping& mapping, FileRaState& ra, uint64_t offset, uint64_t length, FileAdvice advice);

}  // namespace fl::vm
