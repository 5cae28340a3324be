// HostPoller: the host's descriptors that tasks wait for. Linux counterpart: none; to the guest these waits are those
// of a terminal or pipe driver.
//
// A stream has a Source, with the queue of those who wait for it. When nothing can run the kernel waits here; while
// something runs it looks once a tick. A read by the only task waits in the host itself (see HostStream), so that a
// program without others is the same in every run.
#pragma once

#include <boost/intrusive/list.hpp>
#include <functional>

#include "guest/task/wait_queue.hpp"

namespace fl::guest {

class HostPoller {
 public:
  struct Source : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    int fd = -1;
    // What may still come: the events of poll(2) that did not hold when somebody looked last. 0: the change was told,
    // and nobody has looked since.
    short events = 0;
    WaitQueue waiting;
    bool awaited() const { return events != 0 && !waiting.empty(); }
  };
  HostPoller() = default;
  HostPoller(const HostPoller&) = delete;
  HostPoller& operator=(const HostPoller&) = delete;

  void add(Source& source) { sources_.push_back(source); }
  bool anybody_waits() const;
  // Waits up to so long (0: only looks) and wakes those whose descriptor is ready; whether there was one.
  bool look(int timeout_ms);

  // Whether nothing would happen in the machine while its running task waits in the host.
  bool may_block() const { return !anybody_waits() && (!alone_ || alone_()); }
  void set_alone(std::function<bool()> alone) { alone_ = std::move(alone); }

 private:
  boost::intrusive::list<Source, boost::intrusive::constant_time_size<false>> sources_;
  std::function<bool()> alone_;
};

}  // namespace fl::guest
