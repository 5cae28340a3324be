// EpollFile: which of many files are ready. EpollItem: one of the files that it watches. Linux counterparts: struct
// eventpoll, struct epitem (fs/eventpoll.c).
//
// An item stands in the wait queue of its file; news put it on its epoll's ready list, in the order of arrival. What a
// file says is asked when somebody waits: a level-triggered item stays ready as long as its file is. An epoll may watch
// others, five deep at most, and never itself.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <span>

#include "guest/fs/epoll_link.hpp"
#include "guest/fs/open_file.hpp"
#include "guest/task/wait_queue.hpp"
#include "vm/slab/object_cache.hpp"

namespace fl::guest {

class EpollFile;

// struct epoll_event of i386.
struct [[gnu::packed]] EpollEvent {
  enum Bit : uint32_t {
    kExclusive = 1u << 28,
    kWakeUp = 1u << 29,
    kOneShot = 1u << 30,
    kEdge = 1u << 31,
  };
  // Linux: EP_PRIVATE_BITS.
  static constexpr uint32_t kPrivate = kExclusive | kWakeUp | kOneShot | kEdge;
  uint32_t events = 0;
  uint64_t data = 0;
};
static_assert(sizeof(EpollEvent) == 12);

// In the cache "eventpoll_epi".
class EpollItem final : public WaitEntry, public EpollLink {
 public:
  EpollItem(EpollFile& epoll, OpenFile& watched, uint32_t number, const EpollEvent& wanted)
      : WaitEntry(&EpollItem::news), owner(epoll), file(watched), fd(number), event(wanted) {}

  // Into the queue of the file.
  void listen();
  // What it is ready for now.
  uint32_t ready_events();

  EpollFile& owner;
  OpenFile& file;
  const uint32_t fd;
  EpollEvent event;
  boost::intrusive::set_member_hook<> tree_hook;
  boost::intrusive::list_member_hook<> ready_hook;

 private:
  // Linux: ep_poll_callback.
  static void news(WaitEntry& entry, uint32_t events);
  WaitQueue* heard_on_ = nullptr;  // where it stands, while it stands there
};

class EpollFile final : public OpenFile {
 public:
  EpollFile(uint32_t flags, std::shared_ptr<LivePath> path, vm::ObjectCache<EpollItem>& items)
      : OpenFile(flags, std::move(path)), item_cache_(items) {}
  ~EpollFile() override;

  Result<FileStat> stat() override;
  bool wakes_waiters() const override { return true; }
  // Linux: ep_eventpoll_poll.
  uint32_t poll() override;
  WaitQueue* wait_queue() override { return &waiting_; }

  // A line for each file that it watches. Linux: ep_show_fdinfo.
  std::string fdinfo(const vm::KernelProfile& profile) override;

  // Linux: ep_insert, ep_modify, ep_remove. EEXIST, ENOENT, ENOMEM; ELOOP and EINVAL: too deep, too many paths.
  Status add(const std::shared_ptr<OpenFile>& file, uint32_t fd, const EpollEvent& event);
  Status modify(OpenFile& file, uint32_t fd, const EpollEvent& event);
  Status remove(OpenFile& file, uint32_t fd);
  // The item is no more.
  void forget(EpollItem& item);

  // Takes ready items, as many as `room` at most; `put` stores one and says whether it could. The number stored; EFAULT
  // if not even one. Linux: ep_send_events.
  template <typename Put>
  Result<uint32_t> collect(uint32_t room, Put&& put) {
    uint32_t count = 0;
    Ready again;
    Result<uint32_t> result = 0u;
    while (count < room && !ready_.empty()) {
      EpollItem& item = ready_.front();
      ready_.pop_front();
      const uint32_t events = item.ready_events();
      if (events == 0) {
        continue;
      }
      if (!put(EpollEvent{events, item.event.data})) {
        ready_.push_front(item);
        if (count == 0) {
          result = fail(Errno::kEFAULT);
        }
        break;
      }
      ++count;
      if ((item.event.events & EpollEvent::kOneShot) != 0) {
        item.event.events &= EpollEvent::kPrivate;
      } else if ((item.event.events & EpollEvent::kEdge) == 0) {
        again.push_back(item);
      }
    }
    ready_.splice(ready_.end(), again);
    return result ? Result<uint32_t>(count) : result;
  }

 private:
  friend class EpollItem;
  struct ByFile {
    struct Key {
      const OpenFile* file;
      uint32_t fd;
      auto operator<=>(const Key&) const = default;
    };
    bool operator()(const EpollItem& a, const EpollItem& b) const { return key(a) < key(b); }
    bool operator()(const EpollItem& a, const Key& b) const { return key(a) < b; }
    bool operator()(const Key& a, const EpollItem& b) const { return a < key(b); }
    static Key key(const EpollItem& item) { return {&item.file, item.fd}; }
  };
  using Items = boost::intrusive::set<
      EpollItem, boost::intrusive::member_hook<EpollItem, boost::intrusive::set_member_hook<>, &EpollItem::tree_hook>,
      boost::intrusive::compare<ByFile>>;
  using Ready = boost::intrusive::list<
      EpollItem, boost::intrusive::member_hook<EpollItem, boost::intrusive::list_member_hook<>, &EpollItem::ready_hook>,
      boost::intrusive::constant_time_size<false>>;

  EpollItem* find(OpenFile& file, uint32_t fd);
  void make_ready(EpollItem& item);
  Status check_nesting(EpollFile& inner);

  vm::ObjectCache<EpollItem>& item_cache_;
  Items items_;
  Ready ready_;
  WaitQueue waiting_;
};

}  // namespace fl::guest
