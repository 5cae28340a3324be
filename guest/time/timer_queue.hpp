// TimerQueue: everything that happens at a point of time: ends of sleeps, itimers, POSIX timers, timerfds. Linux
// counterpart: hrtimer, its red-black tree.
//
// A Timer belongs to who armed it and leaves the queue when it is destroyed. Equal times expire in the order of arming.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <optional>

namespace fl::guest {

class Timer : public boost::intrusive::set_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() = default;

  // Its time has come; it is off the queue and may be armed again.
  virtual void expire() = 0;

  bool armed() const { return is_linked(); }
  // When it expires, as TimeSource::now_ns counts. Valid if armed.
  uint64_t deadline_ns() const { return deadline_ns_; }
  void cancel() {
    if (armed()) {
      unlink();
    }
  }

 private:
  friend class TimerQueue;
  uint64_t deadline_ns_ = 0;
};

class TimerQueue {
 public:
  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  void arm(Timer& timer, uint64_t deadline_ns) {
    timer.cancel();
    timer.deadline_ns_ = deadline_ns;
    timers_.insert(timer);  // behind those of the same time
  }
  bool empty() const { return timers_.empty(); }
  void cancel_all() { timers_.clear(); }
  // The earliest deadline.
  std::optional<uint64_t> next_ns() const {
    return timers_.empty() ? std::nullopt : std::optional(timers_.begin()->deadline_ns());
  }
  // Expires all that are due.
  void fire(uint64_t now_ns) {
    while (!timers_.empty() && timers_.begin()->deadline_ns() <= now_ns) {
      Timer& timer = *timers_.begin();
      timers_.erase(timers_.begin());
      timer.expire();
    }
  }

 private:
  struct Earlier {
    bool operator()(const Timer& a, const Timer& b) const { return a.deadline_ns() < b.deadline_ns(); }
  };
  boost::intrusive::multiset<Timer, boost::intrusive::compare<Earlier>, boost::intrusive::constant_time_size<false>>
      timers_;
};

}  // namespace fl::guest
