// Message queues: sending, receiving, and whom that wakes.
#include "guest/ipc/msg.hpp"

#include <algorithm>
#include <limits>

#include "guest/kernel.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

MsgQueue& as_queue(IpcPerm& perm) { return static_cast<MsgQueue&>(perm); }

struct Selector {
  MsgSearch search;
  int32_t type;
};

// Linux: convert_mode.
Selector selector_of(const MsgQueues::Wanted& wanted) {
  constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
  if ((wanted.flags & MsgReceiveFlag::kCopy) != 0) {
    return {MsgSearch::kNumber, wanted.type};
  }
  if (wanted.type == 0) {
    return {MsgSearch::kAny, 0};
  }
  if (wanted.type < 0) {
    return {MsgSearch::kLessEqual, wanted.type < -kMost ? kMost : -wanted.type};
  }
  return {(wanted.flags & MsgReceiveFlag::kExcept) != 0 ? MsgSearch::kNotEqual : MsgSearch::kEqual, wanted.type};
}

// Linux: testmsg.
bool suits(const Message& message, const Selector& selector) {
  switch (selector.search) {
    case MsgSearch::kEqual:
      return message.type == selector.type;
    case MsgSearch::kNotEqual:
      return message.type != selector.type;
    case MsgSearch::kLessEqual:
      return message.type <= selector.type;
    default:
      return true;
  }
}

// The first of the lowest type, the one of that number, or the first. Null: none. Linux: find_msg.
Message* find_message(MsgQueue& queue, Selector selector) {
  Message* found = nullptr;
  int32_t number = 0;
  for (Message& message : queue.messages) {
    if (!suits(message, selector)) {
      continue;
    }
    if (selector.search == MsgSearch::kLessEqual) {
      found = &message;
      selector.type = message.type - 1;  // a lower one would be better
      if (message.type == 1) {
        break;
      }
    } else if (selector.search != MsgSearch::kNumber || number == selector.type) {
      return &message;
    }
    ++number;
  }
  return found;
}

}  // namespace

Result<int32_t> MsgQueues::get(Task& task, int32_t key, uint32_t flags) {
  const auto make = [&]() -> Result<int32_t> {
    vm::SlabAllocator& slab = kernel_.memory().slab();
    FL_TRY_ASSIGN(auto queue, kmalloc_object<MsgQueue>(slab, key, flags & kIpcAccess, limits_.queue, slab));
    queue->change_time = real_seconds(kernel_);
    FL_TRY_ASSIGN(const int32_t id, ids_.add(*queue, task.cred, limits_.queues));
    static_cast<void>(queue.release());  // ids_ has it
    return id;
  };
  return ipc_get(ids_, task.cred, key, flags, make, [](IpcPerm&) { return Status(); });
}

Result<MessagePtr> MsgQueues::make_message(int32_t type, uint32_t bytes) {
  vm::SlabAllocator& slab = kernel_.memory().slab();
  return kmalloc_object<Message>(slab, type, bytes, slab);
}

Result<bool> MsgQueues::send(Task& task, MsgQueue& queue, uint32_t flags) {
  MsgSender& sender = task.msg_sender;
  const uint32_t size = sender.message->size();
  if (!ipc_allows(queue, task.cred, kIpcWrite)) {
    return fail(Errno::kEACCES);
  }
  if (!queue.fits(size)) {
    if ((flags & IpcFlag::kNoWait) != 0) {
      return fail(Errno::kEAGAIN);
    }
    queue.senders.push_back(sender);
    return false;
  }
  queue.last_sender = task.tgid;
  queue.send_time = real_seconds(kernel_);
  if (!send_to_receiver(queue, sender.message)) {
    queue.messages.push_back(*sender.message.release());
    queue.bytes += size;
    ++queue.count;
  }
  return true;
}

// To the first who waits for such a message; those for whom it is too long are told so. Linux: pipelined_send.
bool MsgQueues::send_to_receiver(MsgQueue& queue, MessagePtr& message) {
  for (auto at = queue.receivers.begin(); at != queue.receivers.end();) {
    MsgReceiver& receiver = *at;
    ++at;
    if (!suits(*message, {receiver.search, receiver.type})) {
      continue;
    }
    receiver.unlink();
    if (receiver.max_bytes < message->size()) {
      receiver.error = Errno::kE2BIG;
      kernel_.wake(receiver.task);
      continue;
    }
    queue.last_receiver = receiver.task.tid;
    queue.receive_time = real_seconds(kernel_);
    receiver.message = std::move(message);
    kernel_.wake(receiver.task);
    return true;
  }
  return false;
}

Result<MessagePtr> MsgQueues::receive(Task& task, MsgQueue& queue, const Wanted& wanted, MessagePtr copy) {
  if (!ipc_allows(queue, task.cred, kIpcRead)) {
    return fail(Errno::kEACCES);
  }
  const Selector selector = selector_of(wanted);
  Message* const found = find_message(queue, selector);
  if (found == nullptr) {
    if ((wanted.flags & IpcFlag::kNoWait) != 0) {
      return fail(Errno::kENOMSG);
    }
    MsgReceiver& receiver = task.msg_receiver;
    receiver.type = selector.type;
    receiver.search = selector.search;
    const bool cuts = (wanted.flags & MsgReceiveFlag::kNoError) != 0;
    receiver.max_bytes = cuts ? std::numeric_limits<int32_t>::max() : wanted.max_bytes;
    receiver.error.reset();
    receiver.message.reset();
    queue.receivers.push_back(receiver);
    return MessagePtr();
  }
  if (wanted.max_bytes < found->size() && (wanted.flags & MsgReceiveFlag::kNoError) == 0) {
    return fail(Errno::kE2BIG);
  }
  if (copy != nullptr) {
    // Linux: copy_msg.
    if (found->size() > copy->size()) {
      return fail(Errno::kEINVAL);
    }
    copy->type = found->type;
    copy->bytes.resize(found->size());
    std::copy(found->bytes.begin(), found->bytes.end(), copy->bytes.begin());
    return copy;
  }
  found->unlink();
  --queue.count;
  queue.bytes -= found->size();
  queue.receive_time = real_seconds(kernel_);
  queue.last_receiver = task.tgid;
  MessagePtr taken(found, KmallocDeleter{&queue.slab});
  wake_senders(queue);
  return taken;
}

// They try again, or get the error. Linux: expunge_all.
void MsgQueues::wake_receivers(MsgQueue& queue, std::optional<Errno> error) {
  while (!queue.receivers.empty()) {
    MsgReceiver& receiver = queue.receivers.front();
    receiver.unlink();
    receiver.error = error;
    kernel_.wake(receiver.task);
  }
}

// Those whose messages fit; the others go behind those that are left. Linux: ss_wakeup.
void MsgQueues::wake_senders(MsgQueue& queue) {
  const MsgSender* first_left = nullptr;
  for (auto at = queue.senders.begin(); at != queue.senders.end() && &*at != first_left;) {
    MsgSender& sender = *at;
    ++at;
    sender.unlink();
    if (queue.fits(sender.message->size())) {
      kernel_.wake(sender.task);
      continue;
    }
    first_left = first_left != nullptr ? first_left : &sender;
    queue.senders.push_back(sender);
  }
}

Status MsgQueues::remove(Task& task, int32_t id) {
  FL_TRY_ASSIGN(IpcPerm* const found, ids_.control(id, task.cred));
  destroy(as_queue(*found));
  return {};
}

Status MsgQueues::change(Task& task, int32_t id, const IpcChange& change, uint32_t max_bytes) {
  FL_TRY_ASSIGN(IpcPerm* const found, ids_.control(id, task.cred));
  MsgQueue& queue = as_queue(*found);
  if (max_bytes > limits_.queue && task.cred.euid != 0) {
    return fail(Errno::kEPERM);
  }
  FL_TRY(ipc_update(queue, change));
  queue.max_bytes = max_bytes;
  queue.change_time = real_seconds(kernel_);
  wake_receivers(queue, std::nullopt);  // whom the new rights may shut out
  wake_senders(queue);
  return {};
}

void MsgQueues::destroy(MsgQueue& queue) {
  wake_receivers(queue, Errno::kEIDRM);
  while (!queue.senders.empty()) {
    MsgSender& sender = queue.senders.front();
    sender.unlink();
    kernel_.wake(sender.task);  // it will not find the queue
  }
  ids_.remove(queue);
  KmallocDeleter{&queue.slab}(&queue);
}

uint32_t MsgQueues::total_messages() {
  uint32_t total = 0;
  for (IpcPerm& perm : ids_.objects()) {
    total += as_queue(perm).count;
  }
  return total;
}

uint32_t MsgQueues::total_bytes() {
  uint32_t total = 0;
  for (IpcPerm& perm : ids_.objects()) {
    total += as_queue(perm).bytes;
  }
  return total;
}

void MsgQueues::clear() {
  while (!ids_.objects().empty()) {
    destroy(as_queue(*ids_.objects().begin()));
  }
}

}  // namespace fl::guest
