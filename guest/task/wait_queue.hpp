// WaitQueue: who wants to hear that something has changed: tasks that sleep, and things like epoll that pass it on.
// Linux counterpart: wait_queue_head_t, struct wait_queue_entry.
//
// An entry belongs to who waits (a task has one for itself, a poll call one for each file) and stands in at most one
// queue. Waking takes entries off before their function is called; one that wants to hear more adds itself again. Who
// wakes says what has happened, in bits of PollEvent, so that epoll can tell news from the rest. Linux: the key.
// Either side may go at any time: an entry leaves its queue when it is destroyed, and the other way round. Who sleeps
// on a file keeps the file (Wait::file), so its queue stays.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <utility>

namespace fl::guest {

class OpenFile;
struct Task;

class WaitEntry : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  // Called once it is off its queue. It may add entries, also itself, and wake tasks; it must not run or end any.
  using Function = void (*)(WaitEntry& entry, uint32_t events);
  explicit WaitEntry(Function function) : function_(function) {}
  WaitEntry(const WaitEntry&) = delete;
  WaitEntry& operator=(const WaitEntry&) = delete;

  bool waits() const { return is_linked(); }
  void leave() { unlink(); }
  void wake(uint32_t events) { function_(*this, events); }

 private:
  Function function_;
};

// Wakes a task. Linux: default_wake_function, autoremove_wake_function.
class TaskWaiter : public WaitEntry {
 public:
  explicit TaskWaiter(Task& task) : WaitEntry(&TaskWaiter::wake_task), task_(&task) {}

 private:
  static void wake_task(WaitEntry& entry, uint32_t events);
  Task* task_;
};

// One of the entries of a poll call, in the cache "poll_table_entry"; keeps the file that it waits for. Linux: struct
// poll_table_entry.
struct PollList;
class PollWaiter : public TaskWaiter, public boost::intrusive::list_base_hook<boost::intrusive::tag<PollList>> {
 public:
  PollWaiter(Task& task, std::shared_ptr<OpenFile> file) : TaskWaiter(task), file_(std::move(file)) {}

 private:
  std::shared_ptr<OpenFile> file_;
};
using PollWaiters = boost::intrusive::list<
    PollWaiter, boost::intrusive::base_hook<boost::intrusive::list_base_hook<boost::intrusive::tag<PollList>>>,
    boost::intrusive::constant_time_size<false>>;

class WaitQueue {
 public:
  WaitQueue() = default;
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  // At the end; off the queue where it stood before.
  void add(WaitEntry& entry) {
    if (entry.waits()) {
      entry.leave();
    }
    entries_.push_back(entry);
  }
  bool empty() const { return entries_.empty(); }
  static constexpr uint32_t kAllEvents = ~0u;
  // Everybody, in the order of arrival.
  void wake_all(uint32_t events = kAllEvents) {
    Entries woken;
    woken.swap(entries_);
    while (!woken.empty()) {
      WaitEntry& entry = woken.front();
      woken.pop_front();
      entry.wake(events);
    }
  }

 private:
  using Entries = boost::intrusive::list<WaitEntry, boost::intrusive::constant_time_size<false>>;
  Entries entries_;
};

}  // namespace fl::guest
