// Ipc: what the kernel keeps for files through which tasks meet, and for their timers: the caches of these objects, the
// names of sockets that are in no directory; and System V IPC. Linux counterparts: posix_timers_cache, epi_cache,
// unix_socket_table, init_ipc_ns.
#pragma once

#include "guest/fs/epoll.hpp"
#include "guest/ipc/sysv_ipc.hpp"
#include "guest/net/unix_socket.hpp"
#include "guest/time/posix_timer.hpp"
#include "vm/memory_system.hpp"
#include "vm/slab/object_cache.hpp"

namespace fl::guest {

struct Ipc {
  Ipc(Kernel& kernel, vm::MemorySystem& memory)
      : sysv(kernel),
        posix_timer(memory.slab(), "posix_timers_cache"),
        epoll_item(memory.slab(), "eventpoll_epi"),
        unix_socket(memory.slab(), "UNIX"),
        unix_name(memory.slab(), "unix_address"),
        socket_buffer(memory.slab(), "skbuff_head_cache") {}

  // Frees a message that is in no queue. The files in it may be sockets with messages of their own: those are freed one
  // after the other, not one inside the other. Linux: delayed fput.
  void doom(SocketBuffer& buffer) {
    doomed_.push_back(buffer);
    if (freeing_) {
      return;
    }
    freeing_ = true;
    while (!doomed_.empty()) {
      SocketBuffer& next = doomed_.front();
      doomed_.pop_front();
      socket_buffer.destroy(&next);
    }
    freeing_ = false;
  }

  SysvIpc sysv;
  vm::ObjectCache<PosixTimer> posix_timer;
  vm::ObjectCache<EpollItem> epoll_item;
  vm::SharedObjectCache<UnixSocket> unix_socket;
  vm::SharedObjectCache<UnixName> unix_name;
  vm::ObjectCache<SocketBuffer> socket_buffer;
  UnixNames unix_names;
  UnixSockets unix_sockets;

 private:
  friend void collect_unix_garbage(Ipc& ipc);
  boost::intrusive::list<SocketBuffer> doomed_;
  bool freeing_ = false;
  bool collecting_ = false;
};

}  // namespace fl::guest
