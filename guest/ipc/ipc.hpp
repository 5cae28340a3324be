// Ipc: what the kernel keeps for files through which tasks meet, and for their timers: the caches of these objects.
// Linux counterparts: posix_timers_cache, epi_cache.
#pragma once

#include "guest/fs/epoll.hpp"
#include "guest/time/posix_timer.hpp"
#include "vm/memory_system.hpp"
#include "vm/slab/object_cache.hpp"

namespace fl::guest {

struct Ipc {
  explicit Ipc(vm::MemorySystem& memory)
      : posix_timer(memory.slab(), "posix_timers_cache"), epoll_item(memory.slab(), "eventpoll_epi") {}

  vm::ObjectCache<PosixTimer> posix_timer;
  vm::ObjectCache<EpollItem> epoll_item;
};

}  // namespace fl::guest
