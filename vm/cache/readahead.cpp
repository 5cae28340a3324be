// Windows of pages to read. See readahead.hpp.
#include "vm/cache/readahead.hpp"

#include <algorithm>
#include <bit>

#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"

namespace fl::vm {
namespace {

// A file whose faults missed so many times more than they hit is read a page at a time. Linux: MMAP_LOTSAMISS.
constexpr uint32_t kMmapLotsamiss = 100;

// Linux: get_init_ra_size.
uint32_t init_ra_size(uint32_t wanted, uint32_t most) {
  const uint32_t size = std::bit_ceil(std::max(wanted, 1u));
  if (size <= most / 32) {
    return size * 4;
  }
  return size <= most / 4 ? size * 2 : most;
}

// Linux: get_next_ra_size.
uint32_t next_ra_size(uint32_t size, uint32_t most) {
  if (size < most / 16) {
    return size * 4;
  }
  return size <= most / 2 ? size * 2 : most;
}

// The window is decided: its pages that are on the disk are asked for. One that begins where it was asked for, and
// would be due at once, takes the next one into itself. Linux: the end of ondemand_readahead.
void submit_window(Mapping& mapping, FileRaState& ra, uint64_t index, uint32_t most) {
  if (index == ra.start && ra.size == ra.async_size) {
    const uint32_t more = next_ra_size(ra.size, most);
    if (ra.size + more <= most) {
      ra.async_size = more;
      ra.size += more;
    } else {
      ra.size = most;
      ra.async_size = most / 2;
    }
  }
  mapping.read_ahead(ra.start, ra.size, ra.async_size);
}

// How many pages before `index` are in memory without a gap, up to `most`. Linux: count_history_pages.
uint64_t history(const Mapping& mapping, uint64_t index, uint32_t most) {
  uint64_t count = 0;
  while (count < most && count < index && mapping.in_memory(index - count - 1)) {
    ++count;
  }
  return count;
}

// A page is missing that a read of `wanted` pages needs. Linux: page_cache_sync_ra.
void page_cache_sync_ra(Mapping& mapping, FileRaState& ra, uint64_t index, uint64_t wanted) {
  const uint32_t most = mapping.readahead().pages * ra.factor;
  if (most == 0) {
    return;
  }
  const auto pages = static_cast<uint32_t>(std::min<uint64_t>(std::max<uint64_t>(wanted, 1), UINT32_MAX / 2));
  if (ra.random) {
    return force_page_cache_readahead(mapping, index, pages);
  }
  const int64_t previous = ra.prev_pos < 0 ? -1 : ra.prev_pos >> kPageShift;
  if (index == ra.start + ra.size && ra.size != 0 && index != 0) {
    // The reader caught up with the last window.
    ra.start += ra.size;
    ra.size = next_ra_size(ra.size, most);
    ra.async_size = ra.size;
    return submit_window(mapping, ra, index, most);
  }
  if (index == 0 || pages > most || static_cast<uint64_t>(static_cast<int64_t>(index) - previous) <= 1) {
    ra.start = index;
    ra.size = init_ra_size(pages, most);
    ra.async_size = ra.size > pages ? ra.size - pages : ra.size;
    return submit_window(mapping, ra, index, most);
  }
  uint64_t before = history(mapping, index, most);
  if (before <= pages) {
    return mapping.read_ahead(index, pages, 0);  // one of many places
  }
  if (before >= index) {
    before *= 2;  // from the beginning on
  }
  ra.start = index;
  ra.size = static_cast<uint32_t>(std::min<uint64_t>(before + pages, most));
  ra.async_size = 1;
  submit_window(mapping, ra, index, most);
}

// A reader has come to the mark. Linux: page_cache_async_ra.
void page_cache_async_ra(Mapping& mapping, FileRaState& ra, uint64_t index, uint64_t wanted) {
  const uint32_t most = mapping.readahead().pages * ra.factor;
  if (most == 0) {
    return;
  }
  mapping.clear_readahead(index);
  if (index == ra.start + ra.size - ra.async_size || index == ra.start + ra.size) {
    ra.start += ra.size;
    ra.size = next_ra_size(ra.size, most);
    ra.async_size = ra.size;
    return submit_window(mapping, ra, index, most);
  }
  // The mark of somebody else's window: go on behind what is there.
  uint64_t start = index + 1;
  while (start - index <= most && mapping.in_memory(start)) {
    ++start;
  }
  if (start - index > most) {
    return;
  }
  ra.start = start;
  ra.size = next_ra_size(static_cast<uint32_t>(std::min<uint64_t>(start - index + wanted, UINT32_MAX / 2)), most);
  ra.async_size = ra.size;
  submit_window(mapping, ra, index, most);
}

// Linux: do_sync_mmap_readahead.
void read_around(Mapping& mapping, FileRaState& ra, uint64_t index, MmapAccess access) {
  const uint32_t most = mapping.readahead().pages * ra.factor;
  if (access.random || most == 0) {
    return;
  }
  if (access.sequential) {
    return page_cache_sync_ra(mapping, ra, index, most);
  }
  if (ra.mmap_miss < kMmapLotsamiss * 10) {
    ++ra.mmap_miss;
  }
  if (ra.mmap_miss > kMmapLotsamiss) {
    return;
  }
  ra.start = index - std::min<uint64_t>(index, most / 2);
  ra.size = most;
  ra.async_size = most / 4;
  mapping.read_ahead(ra.start, ra.size, ra.async_size);
}

// The page is wanted and on the disk only: alone, if no readahead brought it.
Result<Pfn> read_one(Mapping& mapping, uint64_t index) {
  if (mapping.find(index) == kNoPage) {
    mapping.read_ahead(index, 1, 0);
  }
  return mapping.get(index);
}

}  // namespace

Result<FileFault> filemap_fault(Mapping& mapping, FileRaState& ra, uint64_t index, MmapAccess access) {
  FileFault fault;
  if (mapping.must_read(index)) {
    fault.missed = true;
    read_around(mapping, ra, index, access);
  } else if (mapping.find(index) != kNoPage && !access.random && mapping.readahead().pages != 0) {
    ra.mmap_miss -= ra.mmap_miss > 0 ? 1 : 0;
    if (mapping.has_readahead(index)) {
      fault.retried = true;
      page_cache_async_ra(mapping, ra, index, mapping.readahead().pages);
    }
  }
  FL_TRY_ASSIGN(fault.pfn, mapping.must_read(index) ? read_one(mapping, index) : mapping.get(index));
  fault.retried |= mapping.wait_for(index);
  return fault;
}

Result<uint64_t> filemap_get_pages(Mapping& mapping, FileRaState& ra, uint64_t index, uint64_t last) {
  if (mapping.must_read(index)) {
    page_cache_sync_ra(mapping, ra, index, last - index);
    FL_TRY(read_one(mapping, index));
  } else if (mapping.find(index) == kNoPage) {
    FL_TRY(mapping.get(index, static_cast<uint32_t>(std::min<uint64_t>(last - index, kReadPages))));
  }
  // As far as the next mark or gap.
  uint64_t end = index;
  bool marked = false;
  while (end < last && !marked && !mapping.must_read(end) && mapping.find(end) != kNoPage &&
         (end == index || !mapping.in_flight(end))) {
    marked = mapping.has_readahead(end);
    ++end;
  }
  if (marked) {
    page_cache_async_ra(mapping, ra, end - 1, last - (end - 1));
  }
  mapping.wait_for(index);
  return std::max(end, index + 1);
}

void force_page_cache_readahead(Mapping& mapping, uint64_t index, uint64_t pages) {
  constexpr uint32_t kChunk = (2u << 20) >> kPageShift;
  const uint64_t file = mapping.pages();
  for (uint64_t left = index < file ? std::min(pages, file - index) : 0; left > 0;) {
    const auto now = static_cast<uint32_t>(std::min<uint64_t>(left, kChunk));
    mapping.read_ahead(index, now, 0);
    index += now;
    left -= now;
  }
}

void generic_fadvise(Mapping& mapping, FileRaState& ra, uint64_t offset, uint64_t length, FileAdvice advice) {
  const uint64_t last = length == 0 || offset + length < offset ? UINT64_MAX : offset + length - 1;
  switch (advice) {
    case FileAdvice::kNormal:
    case FileAdvice::kSequential:
      ra.factor = advice == FileAdvice::kSequential ? 2 : 1;
      ra.random = false;
      return;
    case FileAdvice::kRandom:
      ra.random = true;
      return;
    case FileAdvice::kWillNeed:
      return force_page_cache_readahead(mapping, offset >> kPageShift,
                                        (last >> kPageShift) - (offset >> kPageShift) + 1);
    case FileAdvice::kDontNeed: {
      static_cast<void>(mapping.write_back(offset >> kPageShift, last >> kPageShift));
      // Parts of pages stay, but for the last page of the file.
      const bool whole = (last & kPageOffsetMask) == kPageOffsetMask || last + 1 == mapping.size();
      const uint64_t first = pages_for(offset), end = (last >> kPageShift) + (whole ? 1 : 0);
      if (first < end) {
        mapping.drop_unused(first, end - 1);
      }
      return;
    }
    case FileAdvice::kNoReuse:
      return;
  }
}

}  // namespace fl::vm
