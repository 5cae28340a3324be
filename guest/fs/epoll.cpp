// Items, their readiness, and how epolls may be nested. See epoll.hpp.
#include "guest/fs/epoll.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "guest/fs/synthetic.hpp"

namespace fl::guest {
namespace {

constexpr int kMostNests = 4;  // Linux: EP_MAX_NESTS
// Linux lets a wakeup take 1000, 500, 100, 50 and 10 paths of 1 to 5 epolls (path_limits). Here: an epoll that others
// watch, or that watches epolls, is watched by so many at most, and watches so many.
constexpr size_t kMostNestedLinks = 32;

// How many epolls are above each other over this one. Linux: ep_get_upwards_depth_proc.
int height_above(const EpollLinks& links, int depth) {
  int most = 0;
  for (const EpollLink& link : links) {
    const auto& item = static_cast<const EpollItem&>(link);
    if (depth > kMostNests) {
      return depth;
    }
    most = std::max(most, 1 + height_above(item.owner.epoll_links, depth + 1));
  }
  return most;
}

}  // namespace

void epoll_release(EpollLinks& links) {
  while (!links.empty()) {
    auto& item = static_cast<EpollItem&>(links.front());
    item.owner.forget(item);
  }
}

void EpollItem::listen() {
  if (WaitQueue* const queue = file.wait_queue(); queue != nullptr) {
    queue->add(*this);
    heard_on_ = queue;
  }
}

uint32_t EpollItem::ready_events() { return file.poll() & event.events; }

void EpollItem::news(WaitEntry& entry, uint32_t events) {
  auto& item = static_cast<EpollItem&>(entry);
  item.heard_on_->add(item);
  if ((item.event.events & ~EpollEvent::kPrivate) == 0 || (events & item.event.events) == 0) {
    return;  // a one-shot that was used up; or nothing of interest
  }
  item.owner.make_ready(item);
}

EpollFile::~EpollFile() {
  while (!items_.empty()) {
    forget(*items_.begin());
  }
}

Result<FileStat> EpollFile::stat() { return synthetic_stat(DeviceNumber{0, 14}, 1037, 0600, {}); }

EpollItem* EpollFile::find(OpenFile& file, uint32_t fd) {
  const auto found = items_.find(ByFile::Key{&file, fd}, ByFile());
  return found == items_.end() ? nullptr : &*found;
}

void EpollFile::make_ready(EpollItem& item) {
  if (!item.ready_hook.is_linked()) {
    ready_.push_back(item);
  }
  waiting_.wake_all(PollEvent::kIn | PollEvent::kReadNormal);
}

std::string EpollFile::fdinfo(const vm::KernelProfile&) {
  std::string text;
  for (const EpollItem& item : items_) {
    constexpr uint32_t kMinorBits = 20;
    const auto stat = item.file.stat();
    const FileStat known = stat ? *stat : FileStat{};
    fmt::format_to(std::back_inserter(text), "tfd: {:8} events: {:8x} data: {:16x}  pos:{} ino:{:x} sdev:{:x}\n",
                   item.fd, uint32_t{item.event.events}, uint64_t{item.event.data}, item.file.pos, known.ino,
                   known.dev.major << kMinorBits | known.dev.minor);
  }
  return text;
}

// Asks the ready items; those that are no longer ready leave the list.
uint32_t EpollFile::poll() {
  while (!ready_.empty()) {
    if (ready_.front().ready_events() != 0) {
      return PollEvent::kIn | PollEvent::kReadNormal;
    }
    ready_.pop_front();
  }
  return 0;
}

// Linux: ep_loop_check, reverse_path_check.
Status EpollFile::check_nesting(EpollFile& inner) {
  // Breadth is bounded, so that this is short.
  size_t links = 0;
  const auto depth_below = [&](const auto& self, const EpollFile& at, int depth) -> int {
    if (&at == this || depth > kMostNests) {
      return kMostNests + 1;
    }
    int most = 0;
    for (const EpollItem& item : at.items_) {
      if (const auto* const nested = dynamic_cast<const EpollFile*>(&item.file); nested != nullptr) {
        if (++links > kMostNestedLinks) {
          return kMostNests + 1;
        }
        most = std::max(most, 1 + self(self, *nested, depth + 1));
      }
    }
    return most;
  };
  const int below = depth_below(depth_below, inner, 0);
  if (height_above(epoll_links, 0) + 1 + below > kMostNests) {
    return fail(Errno::kELOOP);
  }
  if (inner.epoll_links.size() >= kMostNestedLinks) {
    return fail(Errno::kEINVAL);
  }
  return {};
}

Status EpollFile::add(const std::shared_ptr<OpenFile>& file, uint32_t fd, const EpollEvent& event) {
  if (auto* const inner = dynamic_cast<EpollFile*>(file.get()); inner != nullptr) {
    FL_TRY(check_nesting(*inner));
  }
  if (find(*file, fd) != nullptr) {
    return fail(Errno::kEEXIST);
  }
  FL_TRY_ASSIGN(EpollItem* const item, item_cache_.create(*this, *file, fd, event));
  item->event.events |= PollEvent::kErr | PollEvent::kHup;
  items_.insert(*item);
  file->epoll_links.push_back(*item);
  item->listen();
  if (item->ready_events() != 0) {
    make_ready(*item);
  }
  return {};
}

Status EpollFile::modify(OpenFile& file, uint32_t fd, const EpollEvent& event) {
  EpollItem* const item = find(file, fd);
  if (item == nullptr) {
    return fail(Errno::kENOENT);
  }
  if ((item->event.events & EpollEvent::kExclusive) != 0) {
    return fail(Errno::kEINVAL);
  }
  item->event = event;
  item->event.events |= PollEvent::kErr | PollEvent::kHup;
  if (item->ready_events() != 0) {
    make_ready(*item);
  }
  return {};
}

Status EpollFile::remove(OpenFile& file, uint32_t fd) {
  EpollItem* const item = find(file, fd);
  if (item == nullptr) {
    return fail(Errno::kENOENT);
  }
  forget(*item);
  return {};
}

void EpollFile::forget(EpollItem& item) {
  items_.erase(items_.iterator_to(item));
  if (item.ready_hook.is_linked()) {
    ready_.erase(ready_.iterator_to(item));
  }
  item_cache_.destroy(&item);  // leaves the file's list and queue
}

}  // namespace fl::guest
