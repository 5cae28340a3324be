// WaitQueue: the tasks that sleep until a file's state changes. Linux counterpart: wait_queue_head_t.
//
// Keeps thread ids, not pointers: a task may end while it waits, and waking an id that is gone does nothing.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace fl::guest {

class WaitQueue {
 public:
  void add(uint32_t tid) {
    for (const uint32_t waiting : tids_) {
      if (waiting == tid) {
        return;
      }
    }
    tids_.push_back(tid);
  }
  bool empty() const { return tids_.empty(); }
  // Everybody who waits, in the order of arrival; nobody waits afterwards.
  std::vector<uint32_t> take() { return std::exchange(tids_, {}); }

 private:
  std::vector<uint32_t> tids_;
};

}  // namespace fl::guest
