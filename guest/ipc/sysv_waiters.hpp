// What a task waits for in semop, msgsnd or msgrcv: its place in a queue, and what whoever wakes it left for it. Linux
// counterparts: struct sem_queue, msg_sender, msg_receiver, which stand on the sleeper's kernel stack.
//
// A task has one of each, and waits in at most one. Whoever wakes a task has taken it off the queue;
// Kernel::leave_queues takes it off when a signal or the end of its time woke it, or when it ends.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <optional>

#include "guest/ipc/kmalloc_object.hpp"
#include "mmu/base/result.hpp"
#include "vm/slab/stl_allocator.hpp"

namespace fl::guest {

struct SemArray;
struct SemUndo;
struct Task;

using SysvHook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
template <class T>
using SysvList = boost::intrusive::list<T, boost::intrusive::constant_time_size<false>>;

// struct sembuf.
struct SemOp {
  uint16_t number;
  int16_t change;  // 0: waits for zero
  int16_t flags;
};
using SemOps = vm::SlabVector<SemOp>;

// A call's operations. Linux: struct sem_queue.
struct SemWaiter : SysvHook {
  explicit SemWaiter(Task& waiting) : task(waiting) {}
  SemWaiter(const SemWaiter&) = delete;
  SemWaiter& operator=(const SemWaiter&) = delete;

  Task& task;
  SemArray* array = nullptr;  // where it waits
  std::optional<SemOps> ops;
  SemUndo* undo = nullptr;  // of the operations with SEM_UNDO
  uint32_t pid = 0;
  bool alters = false;
  uint16_t blocking = 0;         // the operation that cannot be done now
  std::optional<Status> result;  // none: it still waits
};

// Linux: struct msg_msg. Simplified: one piece of memory, not one a page.
struct Message : SysvHook {
  Message(int32_t message_type, uint32_t size, vm::SlabAllocator& slab)
      : type(message_type), bytes(size, std::byte{}, vm::SlabStlAllocator<std::byte>(slab)) {}
  int32_t type;
  vm::SlabVector<std::byte> bytes;
  uint32_t size() const { return static_cast<uint32_t>(bytes.size()); }
};
using MessagePtr = KmallocPtr<Message>;

// Linux: struct msg_sender.
struct MsgSender : SysvHook {
  explicit MsgSender(Task& waiting) : task(waiting) {}
  Task& task;
  MessagePtr message;  // what it wants to send
};

enum class MsgSearch : uint8_t { kAny, kEqual, kNotEqual, kLessEqual, kNumber };

// Linux: struct msg_receiver.
struct MsgReceiver : SysvHook {
  explicit MsgReceiver(Task& waiting) : task(waiting) {}
  Task& task;
  int32_t type = 0;
  MsgSearch search = MsgSearch::kAny;
  uint32_t max_bytes = 0;
  MessagePtr message;          // what it was given
  std::optional<Errno> error;  // or why not
};

}  // namespace fl::guest
