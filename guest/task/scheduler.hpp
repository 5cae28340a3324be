// Scheduler: which task runs next on the machine's one processor. Linux counterpart: kernel/sched/core.c, with the
// round-robin of rt.c instead of CFS.
//
// One run queue in the order of waking; the first task runs until it sleeps, ends, yields, or has used up its slice
// while others wait. Deterministic: slices are counted in time that the processor worked (executed blocks, if time is
// virtual). Simplified: priorities and nice values decide nothing; a woken task never interrupts the one that runs.
#pragma once

#include <cstdint>

#include "guest/task.hpp"

namespace fl::guest {

class Scheduler {
 public:
  // How long a task runs while others wait. Linux: RR_TIMESLICE.
  static constexpr uint64_t kSliceNs = 100'000'000;

  // The task can run; behind all others.
  void enqueue(Task& task) {
    if (!task.run_hook.is_linked()) {
      queue_.push_back(task);
    }
  }
  void dequeue(Task& task) {
    if (task.run_hook.is_linked()) {
      queue_.erase(queue_.iterator_to(task));
    }
  }
  // Whose turn it is; null: nobody can run.
  Task* first() { return queue_.empty() ? nullptr : &queue_.front(); }
  // Somebody waits for the processor besides the task that has it.
  bool contended() const { return !queue_.empty() && std::next(queue_.begin()) != queue_.end(); }
  // The task, which is first, goes to the end.
  void rotate(Task& task) {
    if (task.run_hook.is_linked()) {
      queue_.splice(queue_.end(), queue_, queue_.iterator_to(task));
    }
  }

 private:
  boost::intrusive::list<Task, boost::intrusive::member_hook<Task, Task::ListHook, &Task::run_hook>,
                         boost::intrusive::constant_time_size<false>>
      queue_;
};

}  // namespace fl::guest
