// TaskCaches: the caches of the kernel's objects for tasks, by their names in /proc/slabinfo. Linux counterpart:
// task_struct_cachep, signal_cachep, sighand_cachep, sigqueue_cachep.
#pragma once

#include "guest/signal/signal.hpp"
#include "guest/task.hpp"
#include "vm/slab/object_cache.hpp"

namespace fl::guest {

struct TaskCaches {
  explicit TaskCaches(vm::SlabAllocator& slab)
      : task(slab, "task_struct"),
        group(slab, "signal_cache"),
        handlers(slab, "sighand_cache"),
        queued_signal(slab, "sigqueue"),
        poll_waiter(slab, "poll_table_entry") {}

  vm::ObjectCache<Task> task;
  vm::SharedObjectCache<ThreadGroup> group;
  vm::SharedObjectCache<SignalHandlers> handlers;
  vm::ObjectCache<QueuedSignal> queued_signal;
  vm::ObjectCache<PollWaiter> poll_waiter;
};

}  // namespace fl::guest
