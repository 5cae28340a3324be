// What the end of a sleep and of a task mean for System V IPC.
#include "guest/ipc/sysv_ipc.hpp"

#include "guest/task.hpp"

namespace fl::guest {

void SysvIpc::leave(Task& task) {
  sem.leave(task.sem_waiter);
  if (task.msg_sender.is_linked()) {
    task.msg_sender.unlink();
  }
  if (task.msg_receiver.is_linked()) {
    task.msg_receiver.unlink();
  }
}

void SysvIpc::exit(Task& task) {
  sem.exit_sem(task);
  task.sem_waiter.ops.reset();
  task.msg_sender.message.reset();
  task.msg_receiver.message.reset();
}

}  // namespace fl::guest
