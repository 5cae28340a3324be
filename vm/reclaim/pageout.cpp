// Asking the disk, and what happens when it answers.
#include "vm/reclaim/pageout.hpp"

#include <algorithm>
#include <utility>

#include "vm/memory_system.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/swap/swap_cache.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {
namespace {

// Processor time, traced on 6.18 (function_graph): for the slot, the entries and the bio of a page, and to hand a page
// to the device.
constexpr uint64_t kPrepareNs = 6'000;
constexpr uint64_t kIssueNs = 2'000;
// A plug holds so many requests, or a first one that large. Linux: BLK_MAX_REQUEST_COUNT, BLK_PLUG_FLUSH_SIZE.
constexpr size_t kPlugRequests = 32;
constexpr size_t kPlugFlushPages = 32;
// Pages of one request at most: segments of a virtio disk.
constexpr size_t kRequestPages = 254;

}  // namespace

Status Pageout::write(Pfn pfn) {
  FL_TRY(memory_.swap_cache().write_page(pfn));
  if (!memory_.disk().takes_time()) {
    return {};
  }
  memory_.disk().spend(kPrepareNs);
  Page& page = memory_.page(pfn);
  page.set(PageFlag::kWriteback | PageFlag::kReclaim);
  const SwapEntry entry = SwapCache::entry_of(page);
  // Linux: blk_attempt_plug_merge.
  if (!plug_.empty()) {
    Request& last = plug_.back();
    if (last.pages.size() < kRequestPages && entry.type == last.first.type &&
        entry.offset == last.first.offset + last.pages.size()) {
      last.pages.push_back(pfn);
      return {};
    }
  }
  // Linux: blk_add_rq_to_plug.
  const bool first_is_large = !read_is_first_ && !plug_.empty() && plug_.front().pages.size() >= kPlugFlushPages;
  if (plug_.size() + (read_is_first_ ? 1 : 0) >= kPlugRequests || first_is_large) {
    flush_plug();
  }
  plug_.push_back({.first = entry, .pages = {pfn}});
  if (plugs_ == 0) {
    flush_plug();
  }
  return {};
}

void Pageout::flush_plug() {
  read_is_first_ = false;
  for (Request& request : plug_) {
    const auto pages = static_cast<uint32_t>(request.pages.size());
    memory_.disk().spend(kIssueNs * pages);
    request.done = memory_.disk().submit(memory_.swap().area(request.first.type), request.first.offset, pages);
    writes_.push_back(std::move(request));
  }
  plug_.clear();
}

// The frame may be another page since, or have another slot.
void Pageout::end_page_writeback(Pfn pfn, SwapEntry entry) {
  Page& page = memory_.page(pfn);
  if (!page.has(PageFlag::kWriteback) || !page.has(PageFlag::kSwapCache) || page.private_ != entry.raw()) {
    return;
  }
  // Linux: folio_rotate_reclaimable.
  const bool rotates =
      page.has(PageFlag::kReclaim) && page.has(PageFlag::kLru) && !page.has(PageFlag::kDirty | PageFlag::kUnevictable);
  page.clear(PageFlag::kWriteback | PageFlag::kReclaim);
  if (rotates) {
    memory_.lru().remove(pfn);
    page.clear(PageFlag::kActive);
    memory_.lru().add_tail(pfn);
    memory_.pages().events().add(VmEvent::kPgrotated, 1);
  }
}

void Pageout::end_due_writes() {
  while (!writes_.empty() && memory_.disk().done(writes_.front().done)) {
    const Request request = std::move(writes_.front());
    writes_.pop_front();
    SwapEntry entry = request.first;
    for (const Pfn pfn : request.pages) {
      end_page_writeback(pfn, entry);
      ++entry.offset;
    }
  }
}

void Pageout::sleep_until(uint64_t done) {
  memory_.disk().wait_until(done);
  end_due_writes();
}

void Pageout::wait_on_writeback(Pfn pfn) {
  flush_plug();  // who sleeps keeps nobody waiting. Linux: blk_flush_plug in schedule
  const auto has_page = [pfn](const Request& one) {
    return std::find(one.pages.begin(), one.pages.end(), pfn) != one.pages.end();
  };
  const auto request = std::find_if(writes_.rbegin(), writes_.rend(), has_page);
  if (request != writes_.rend()) {
    sleep_until(request->done);
  }
}

void Pageout::wait_on_all() {
  flush_plug();
  if (!writes_.empty()) {
    sleep_until(writes_.back().done);
  }
}

void Pageout::throttle() {
  if (busy()) {
    sleep_until(throttle_end(1));
  }
}

uint64_t Pageout::throttle_end(uint64_t pages) {
  flush_plug();
  const uint64_t latest = memory_.disk().now() + kThrottleNs;
  uint64_t written = 0;
  for (const Request& request : writes_) {
    written += request.pages.size();
    if (written >= pages) {
      return std::min(request.done, latest);
    }
  }
  return latest;
}

}  // namespace fl::vm
