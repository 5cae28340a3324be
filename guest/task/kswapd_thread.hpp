// KswapdThread: a node's kswapd as a thread of the machine. A wake-up takes the processor from the task that runs, for
// kswapd has slept longer; while kswapd waits for the disk the tasks go on. Linux counterpart: kswapd_run, kthread_run.
//
// Programs see no kernel threads, as in a PID namespace of their own: it has no number and is not in /proc.
#pragma once

#include <cstdint>

#include "guest/time/timer_queue.hpp"
#include "vm/reclaim/page_reclaim.hpp"

namespace fl::guest {

class KswapdThread final : public Timer {
 public:
  KswapdThread(vm::PageReclaim& reclaim, uint32_t of_node) : reclaim_(reclaim), node_(of_node) {}

  // Its wait for the disk is over.
  void expire() override { reclaim_.end_kswapd_wait(node_); }
  // Gives it the processor, if it can run, until it sleeps.
  void run(TimerQueue& timers) {
    if (!reclaim_.kswapd_runnable(node_)) {
      return;
    }
    if (const auto waits = reclaim_.run_kswapd(node_)) {
      timers.arm(*this, *waits);
    }
  }

 private:
  vm::PageReclaim& reclaim_;
  uint32_t node_;
};

}  // namespace fl::guest
