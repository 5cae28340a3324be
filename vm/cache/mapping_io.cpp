// Which cached pages of a file the disk has still to bring, and bringing them. Linux counterpart: mm/readahead.c,
// page_cache_ra_unbounded and read_pages.
#include <algorithm>

#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"

namespace fl::vm {

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
    if (!memory_.disk().done(done) && !with_memory([&] { in_flight_.push_back({index, *got, done}); })) {
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

}  // namespace fl::vm
