// The cached pages of a file and its disk: reading pages, which of them are still to come, and writing them back. Linux
// counterparts: page_cache_ra_unbounded and read_pages (mm/readahead.c), write_cache_pages.
#include <algorithm>
#include <array>

#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::vm {
namespace {

// Reads pages from a store. All their frames are mapped at once, longer than a moment: by kmap.
Status read_frames(MemorySystem& memory, BackingStore& store, uint64_t index, std::span<const Pfn> frames) {
  std::array<std::byte*, kReadPages> buffers;
  uint32_t mapped = 0;
  Status done;
  for (; mapped < frames.size(); ++mapped) {
    const auto address = memory.kmap().kmap(frames[mapped]);
    if (!address) {
      done = fail(address.error());
      break;
    }
    buffers[mapped] = memory.kmap().pointer(*address);
  }
  if (done) {
    done = store.read_pages(index, std::span(buffers.data(), frames.size()));
  }
  for (uint32_t i = 0; i < mapped; ++i) {
    memory.kmap().kunmap(frames[i]);
  }
  return done;
}

}  // namespace

Result<uint32_t> Mapping::bring_in(uint64_t index, uint32_t wanted) {
  std::array<Pfn, kReadPages> frames;
  uint32_t count = 0;
  while (count < wanted && find(index + count) == kNoPage) {
    auto frame = memory_.pages().alloc_pages(kGfpHighUserMovable);
    // What others brought into the cache is not charged, what has to be read again is.
    if (frame && must_read(index + count)) {
      frame = memory_.pages().charge(*frame, kGfpHighUserMovable);
    }
    if (!frame) {
      break;
    }
    frames[count] = *frame;
    ++count;
  }
  if (count == 0) {
    return fail(Errno::kENOMEM);
  }
  if (const auto read = read_frames(memory_, *store_, index, std::span(frames.data(), count)); !read) {
    for (uint32_t i = 0; i < count; ++i) {
      memory_.pages().free_pages(frames[i]);
    }
    return fail(read.error());
  }
  // The first page is pinned: storing the others may reclaim.
  Page& first_page = memory_.page(frames[0]);
  for (uint32_t i = 0; i < count; ++i) {
    if (const auto inserted = insert(index + i, frames[i]); !inserted) {
      for (uint32_t rest = i; rest < count; ++rest) {
        memory_.pages().free_pages(frames[rest]);
      }
      if (i == 0) {
        return fail(inserted.error());
      }
      count = i;
      break;
    }
    if (i == 0) {
      ++first_page.refcount;
    }
  }
  --first_page.refcount;
  return count;
}

const Readahead& Mapping::readahead() const { return memory_.cache().readahead; }

void Mapping::forget_cached(uint64_t first, uint64_t last) {
  const bool none = first_cold_ > last_cold_;
  first_cold_ = none ? first : std::min(first_cold_, first);
  last_cold_ = none ? last : std::max(last_cold_, last);
}

uint32_t Mapping::find_mappable(uint64_t index) const {
  const uint32_t frame = find_uptodate(index);
  return frame != kNoPage && !memory_.page(Pfn(frame)).has(PageFlag::kReadahead) && !in_flight(index) ? frame : kNoPage;
}

uint32_t Mapping::drop_unused(uint64_t first, uint64_t last) {
  uint32_t dropped = 0;
  forget_cached(first, last);
  for (auto entry = tree_.next(first); entry && entry->index <= last; entry = tree_.next(uint64_t{entry->index} + 1)) {
    dropped += invalidate(entry->index) ? 1 : 0;
  }
  return dropped;
}

void Mapping::start_cold() {
  if (readahead().cold) {
    forget_cached(0, UINT64_MAX);
  }
}

bool Mapping::has_readahead(uint64_t index) const {
  const uint32_t frame = find(index);
  return frame != kNoPage && memory_.page(Pfn(frame)).has(PageFlag::kReadahead);
}

void Mapping::clear_readahead(uint64_t index) {
  if (const uint32_t frame = find(index); frame != kNoPage) {
    memory_.page(Pfn(frame)).clear(PageFlag::kReadahead);
  }
}

uint64_t Mapping::arrives(uint64_t index) const {
  uint64_t at = 0;
  for (const InFlight& request : in_flight_) {
    if (request.first <= index && index - request.first < request.pages && !memory_.disk().done(request.done)) {
      at = std::max(at, request.done);
    }
  }
  return at;
}

bool Mapping::wait_for(uint64_t index) {
  const uint64_t at = in_flight_.empty() ? 0 : arrives(index);
  if (at != 0) {
    memory_.disk().wait_until(at);
  }
  return at != 0;
}

void Mapping::read_ahead(uint64_t first, uint32_t count, uint32_t lookahead) {
  const uint64_t end = pages();
  if (first >= end) {
    return;
  }
  const uint64_t asked = first + count;
  count = static_cast<uint32_t>(std::min<uint64_t>(count, end - first));
  const uint64_t last = memory_.profile().readahead_marks_beyond_end ? asked : first + count;
  const uint64_t mark = lookahead != 0 && lookahead <= last - first ? last - lookahead : UINT64_MAX;
  std::erase_if(in_flight_, [this](const InFlight& request) { return memory_.disk().done(request.done); });
  const size_t before = in_flight_.size();
  for (uint64_t index = first; index < first + count;) {
    if (!must_read(index)) {
      ++index;
      continue;
    }
    uint32_t wanted = 1;
    while (wanted < kReadPages && index + wanted < first + count && must_read(index + wanted)) {
      ++wanted;
    }
    const auto got = bring_in(index, wanted);
    if (!got) {
      return;  // advice only: who needs the page finds out
    }
    memory_.pages().events().add(VmEvent::kPgpgin, *got * (kPageSize / 1024));
    const uint64_t done = memory_.disk().submit(store_.get(), index, *got);
    if (in_flight_.size() > before && in_flight_.back().first + in_flight_.back().pages == index) {
      in_flight_.back().pages += *got;
    } else if (!memory_.disk().done(done) && !with_memory([&] { in_flight_.push_back({index, *got, done}); })) {
      memory_.disk().wait_until(done);  // nowhere to note it: it is waited for
    }
    // What is asked for together comes together. Linux: blk_finish_plug.
    for (size_t i = before; i < in_flight_.size(); ++i) {
      in_flight_[i].done = done;
    }
    if (const uint32_t frame = mark - index < *got ? find(mark) : kNoPage; frame != kNoPage) {
      memory_.page(Pfn(frame)).set(PageFlag::kReadahead);
    }
    index += *got;
  }
}

void Mapping::mark_dirty(Pfn pfn) {
  if (is_shmem()) {
    return;  // there is nowhere to write it to
  }
  Page& page = memory_.page(pfn);
  page.set(PageFlag::kDirty);
  if (!is_dirty(page.index)) {
    tree_.set_tag(page.index, PageTag::kDirty);
    memory_.cache().count_dirty(1);
  }
}

Status Mapping::write_page(uint32_t index) {
  const Pfn pfn(find(index));
  // Read-only first: a store after the copy must dirty the page again. Linux: page_mkclean.
  for_each_mapped_range(index, index, [&](VmArea& area, VirtAddr va, VirtAddr) {
    mmu::Pte* pte = area.mm->tables().find(va);
    if (area.shared() && pte != nullptr && pte->present() && pte->pfn() == pfn && (pte->writable() || pte->dirty())) {
      const bool seen = pte->accessed();
      *pte = pte->without(mmu::Pte::kWritable | mmu::Pte::kDirty);
      if (seen) {
        memory_.tlb().flush();
      }
    }
  });
  tree_.set_tag(index, PageTag::kWriteback);
  memory_.disk().submit(store_.get(), index, 1);
  const auto written = store_->write_page(index, KmapLocal(memory_.kmap_slots(), pfn).bytes());
  tree_.clear_tag(index, PageTag::kWriteback);
  memory_.tell({.kind = MemoryEvent::Kind::kWriteback,
                .failed = !written,
                .pfn = pfn,
                .inode = store_->inode(),
                .index = index});
  FL_TRY(written);
  memory_.page(pfn).clear(PageFlag::kDirty);
  if (is_dirty(index)) {
    tree_.clear_tag(index, PageTag::kDirty);
    memory_.cache().count_dirty(-1);
  }
  return {};
}

Status Mapping::write_back(uint64_t first, uint64_t last) {
  Status result;
  for (auto entry = tree_.next_tagged(first, PageTag::kDirty); entry && entry->index <= last;
       entry = tree_.next_tagged(uint64_t{entry->index} + 1, PageTag::kDirty)) {
    if (const auto written = write_page(entry->index); !written) {
      result = written;
    }
  }
  return result;
}

}  // namespace fl::vm
