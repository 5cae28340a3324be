// SysvIpc: all System V IPC of the machine. Linux counterpart: struct ipc_namespace. There is one.
#pragma once

#include "guest/ipc/msg.hpp"
#include "guest/ipc/sem.hpp"
#include "guest/ipc/shm.hpp"

namespace fl::guest {

struct SysvIpc {
  explicit SysvIpc(Kernel& kernel) : shm(kernel), sem(kernel), msg(kernel) {}
  // The task waits no longer.
  void leave(Task& task);
  // The task ends: what it left for SEM_UNDO is undone, and what it carried goes.
  void exit(Task& task);
  void clear() {
    shm.clear();
    sem.clear();
    msg.clear();
  }

  ShmSegments shm;
  SemArrays sem;
  MsgQueues msg;
};

}  // namespace fl::guest
