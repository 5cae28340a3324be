// MsgQueues: System V message queues. Linux counterpart: ipc/msg.c, msgutil.c (msg_queue, msg_msg).
//
// A message that somebody waits for goes to him at once and is never in the queue. Who finds no room or no message
// waits; whoever makes room wakes those whose messages fit now. They then try again.
#pragma once

#include <cstdint>

#include "guest/ipc/ipc_ids.hpp"
#include "guest/ipc/sysv_waiters.hpp"

namespace fl::guest {

class Kernel;
struct Task;

struct MsgReceiveFlag {
  enum Bit : uint32_t { kNoError = 010000, kExcept = 020000, kCopy = 040000 };
};

// Linux: struct msg_queue.
struct MsgQueue : IpcPerm {
  MsgQueue(int32_t key_given, uint32_t mode_given, uint32_t most, vm::SlabAllocator& allocator)
      : IpcPerm(key_given, mode_given), max_bytes(most), slab(allocator) {}
  ~MsgQueue() { messages.clear_and_dispose(KmallocDeleter{&slab}); }

  // Linux: msg_fits_inqueue.
  bool fits(uint32_t size) const { return uint64_t{bytes} + size <= max_bytes && uint64_t{count} + 1 <= max_bytes; }

  int64_t send_time = 0, receive_time = 0, change_time = 0;
  uint32_t bytes = 0, count = 0;  // in it
  uint32_t max_bytes;
  uint32_t last_sender = 0, last_receiver = 0;
  SysvList<Message> messages;
  SysvList<MsgReceiver> receivers;
  SysvList<MsgSender> senders;
  vm::SlabAllocator& slab;
};

class MsgQueues {
 public:
  // sysctl kernel.msgmax, msgmnb, msgmni: bytes of a message, of a queue, queues.
  struct Limits {
    uint32_t message = 8192, queue = 16384, queues = 32000;
  };

  explicit MsgQueues(Kernel& kernel) : kernel_(kernel) {}
  MsgQueues(const MsgQueues&) = delete;
  MsgQueues& operator=(const MsgQueues&) = delete;
  ~MsgQueues() { clear(); }

  // ENOSPC, ENOMEM; ENOENT, EEXIST, EACCES. Linux: ksys_msgget, newque.
  Result<int32_t> get(Task& task, int32_t key, uint32_t flags);

  // Room for a message. ENOMEM. Linux: alloc_msg.
  Result<MessagePtr> make_message(int32_t type, uint32_t bytes);
  // Sends the message in task.msg_sender, or queues the task, which must then sleep (false). EACCES, EAGAIN. The queue
  // is one that was found. Linux: the loop of do_msgsnd.
  Result<bool> send(Task& task, MsgQueue& queue, uint32_t flags);

  struct Wanted {
    int32_t type = 0;  // as the call gives it
    uint32_t max_bytes = 0;
    uint32_t flags = 0;
  };
  // A message taken from the queue, or null: the task is queued and must sleep. With MSG_COPY it is a copy, in `copy`
  // if it fits there (else EINVAL). EACCES, E2BIG, ENOMSG. Linux: the loop of do_msgrcv.
  Result<MessagePtr> receive(Task& task, MsgQueue& queue, const Wanted& wanted, MessagePtr copy);

  MsgQueue* find(int32_t id) { return static_cast<MsgQueue*>(ids_.find(id)); }
  // EINVAL, EPERM. Linux: freeque.
  Status remove(Task& task, int32_t id);
  // EINVAL, EPERM (more bytes than the limit). Linux: IPC_SET of msgctl_down.
  Status change(Task& task, int32_t id, const IpcChange& change, uint32_t max_bytes);

  IpcIds& ids() { return ids_; }
  Limits& limits() { return limits_; }
  // Messages in all queues, and their bytes. Linux: percpu_msg_hdrs, percpu_msg_bytes.
  uint32_t total_messages();
  uint32_t total_bytes();
  // At the end of the machine, when nobody waits.
  void clear();

 private:
  bool send_to_receiver(MsgQueue& queue, MessagePtr& message);
  void wake_receivers(MsgQueue& queue, std::optional<Errno> error);
  void wake_senders(MsgQueue& queue);
  void destroy(MsgQueue& queue);

  Kernel& kernel_;
  IpcIds ids_;
  Limits limits_;
};

}  // namespace fl::guest
