// msgget, msgsnd, msgrcv, msgctl: arguments, structures, sleeping. Linux counterpart: the system calls of ipc/msg.c.
// The work is in guest/ipc/msg.hpp.
#include <algorithm>

#include "guest/ipc/ipc.hpp"
#include "guest/signal/send.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/sysv_calls.hpp"

namespace fl::guest {
namespace {

struct MsgCommand {
  enum Number : int32_t { kStat = 11, kInfo = 12, kStatAny = 13 };
};

struct Msqid64 {
  Ipc64Perm perm;
  SplitTime send, receive, change;
  uint32_t bytes, count, max_bytes, last_sender, last_receiver, unused[2];
};
static_assert(sizeof(Msqid64) == 88 && offsetof(Msqid64, max_bytes) == 68);
struct OldMsqid {
  OldIpcPerm perm;
  uint32_t first, last, send, receive, change;
  uint32_t long_bytes, long_max_bytes;
  uint16_t bytes, count, max_bytes, last_sender, last_receiver, pad;
};
static_assert(sizeof(OldMsqid) == 56);
// struct msginfo.
struct MsgInfo {
  uint32_t pool, map, message, queue, queues, segment, headers;
  uint16_t segments, pad;
};
static_assert(sizeof(MsgInfo) == 32);
constexpr uint32_t kTypeBytes = sizeof(int32_t);  // msgbuf::mtype

// Linux: msgctl_info. The kernel's own constants are those of its default limits.
Result<uint32_t> info(Kernel& kernel, Task& task, int32_t command, VirtAddr buffer) {
  constexpr uint32_t kPool = 512000, kMap = 16384, kHeaders = 16384, kSegment = 16, kSegments = 0xffff;
  MsgQueues& msg = kernel.ipc().sysv.msg;
  const bool used = command == MsgCommand::kInfo;
  const MsgInfo out{.pool = used ? msg.ids().in_use() : kPool,
                    .map = used ? msg.total_messages() : kMap,
                    .message = msg.limits().message,
                    .queue = msg.limits().queue,
                    .queues = msg.limits().queues,
                    .segment = kSegment,
                    .headers = used ? msg.total_bytes() : kHeaders,
                    .segments = kSegments,
                    .pad = 0};
  FL_TRY(task.user().put(buffer, out));
  return msg.ids().max_index();
}

Msqid64 describe(const MsgQueue& queue) {
  Msqid64 out{};
  out.perm = perm64_of(queue);
  out.send = split(queue.send_time);
  out.receive = split(queue.receive_time);
  out.change = split(queue.change_time);
  out.bytes = queue.bytes;
  out.count = queue.count;
  out.max_bytes = queue.max_bytes;
  out.last_sender = queue.last_sender;
  out.last_receiver = queue.last_receiver;
  return out;
}

// Linux: copy_msqid_to_user, copy_compat_msqid_to_user.
OldMsqid describe_old(Kernel& kernel, const MsgQueue& queue) {
  const bool compat = kernel_is_64bit(kernel);
  const auto narrow = [compat](uint32_t value) {
    return static_cast<uint16_t>(compat ? value : std::min<uint32_t>(value, 0xffff));
  };
  OldMsqid out{};
  out.perm = old_perm_of(queue);
  out.send = static_cast<uint32_t>(queue.send_time);
  out.receive = static_cast<uint32_t>(queue.receive_time);
  out.change = static_cast<uint32_t>(queue.change_time);
  out.long_bytes = compat ? 0 : queue.bytes;
  out.long_max_bytes = compat ? 0 : queue.max_bytes;
  out.bytes = narrow(queue.bytes);
  out.count = narrow(queue.count);
  out.max_bytes = narrow(queue.max_bytes);
  out.last_sender = static_cast<uint16_t>(queue.last_sender);
  out.last_receiver = static_cast<uint16_t>(queue.last_receiver);
  return out;
}

// Linux: msgctl_stat.
Result<uint32_t> stat(Kernel& kernel, Task& task, int32_t id, int32_t command, VirtAddr buffer, IpcVersion version) {
  IpcIds& ids = kernel.ipc().sysv.msg.ids();
  IpcPerm* const found = command == IpcCommand::kStat ? ids.find(id) : ids.find_index(id);
  if (found == nullptr) {
    return fail(Errno::kEINVAL);
  }
  if (command != MsgCommand::kStatAny && !ipc_allows(*found, task.cred, kIpcRead)) {
    return fail(Errno::kEACCES);
  }
  const auto& queue = static_cast<const MsgQueue&>(*found);
  if (version == IpcVersion::k64) {
    FL_TRY(task.user().put(buffer, describe(queue)));
  } else {
    FL_TRY(task.user().put(buffer, describe_old(kernel, queue)));
  }
  return command == IpcCommand::kStat ? 0 : static_cast<uint32_t>(queue.id);
}

// How many bytes IPC_SET allows the queue. Linux: copy_msqid_from_user.
Result<uint32_t> read_max_bytes(Kernel& kernel, Task& task, VirtAddr buffer, IpcVersion version) {
  vm::UserAccess user = task.user();
  if (version == IpcVersion::k64) {
    return user.get<uint32_t>(buffer + static_cast<uint32_t>(offsetof(Msqid64, max_bytes)));
  }
  FL_TRY_ASSIGN(const auto narrow, user.get<uint16_t>(buffer + static_cast<uint32_t>(offsetof(OldMsqid, max_bytes))));
  if (narrow == 0 && !kernel_is_64bit(kernel)) {
    return user.get<uint32_t>(buffer + static_cast<uint32_t>(offsetof(OldMsqid, long_max_bytes)));
  }
  return narrow;
}

// Linux: do_msg_fill.
Result<uint32_t> deliver(Task& task, VirtAddr buffer, uint32_t room, const Message& message) {
  const uint32_t bytes = std::min(room, message.size());
  FL_TRY(task.user().put(buffer, message.type));
  FL_TRY(task.user().write(buffer + kTypeBytes, std::span(message.bytes).first(bytes)));
  return bytes;
}

// A message of user memory: of its type and text. ENOMEM, EFAULT. Linux: load_msg.
Result<MessagePtr> load(Kernel& kernel, Task& task, int32_t type, VirtAddr text, uint32_t bytes) {
  FL_TRY_ASSIGN(MessagePtr message, kernel.ipc().sysv.msg.make_message(type, bytes));
  FL_TRY(task.user().read(message->bytes, text));
  return message;
}

Result<MsgQueue*> queue_for(Kernel& kernel, Task& task, int32_t id) {
  MsgQueue* const queue = kernel.ipc().sysv.msg.find(id);
  if (queue == nullptr) {
    return fail(task.wait.resumed ? Errno::kEIDRM : Errno::kEINVAL);
  }
  return queue;
}

// The sending call, with its message in task.msg_sender.
Result<bool> try_to_send(Kernel& kernel, Task& task, int32_t id, uint32_t flags) {
  FL_TRY_ASSIGN(MsgQueue* const queue, queue_for(kernel, task, id));
  if (task.wait.resumed && signal_pending(task)) {
    return fail(kRestartNoHand);
  }
  return kernel.ipc().sysv.msg.send(task, *queue, flags);
}

}  // namespace

Result<uint32_t> ipc_msgget(Kernel& kernel, Task& task, int32_t key, uint32_t flags) {
  FL_TRY_ASSIGN(const int32_t id, kernel.ipc().sysv.msg.get(task, key, flags));
  return static_cast<uint32_t>(id);
}

Result<uint32_t> ipc_msgsnd(Kernel& kernel, Task& task, int32_t id, VirtAddr buffer, uint32_t bytes, uint32_t flags) {
  MsgQueues& msg = kernel.ipc().sysv.msg;
  if (!task.wait.resumed) {
    FL_TRY_ASSIGN(const auto type, task.user().get<int32_t>(buffer));
    if (bytes > msg.limits().message || static_cast<int32_t>(bytes) < 0 || id < 0 || type < 1) {
      return fail(Errno::kEINVAL);
    }
    FL_TRY_ASSIGN(task.msg_sender.message, load(kernel, task, type, buffer + kTypeBytes, bytes));
  }
  const auto sent = try_to_send(kernel, task, id, flags);
  if (sent && !*sent) {
    return kernel.sleep(task, "msgsnd", static_cast<uint32_t>(id), std::nullopt);
  }
  task.msg_sender.message.reset();
  return sent ? Result<uint32_t>(0u) : fail(sent.error());
}

Result<uint32_t> ipc_msgrcv(Kernel& kernel, Task& task, int32_t id, VirtAddr buffer, uint32_t bytes, int32_t type,
                            uint32_t flags) {
  MsgQueues& msg = kernel.ipc().sysv.msg;
  MsgReceiver& receiver = task.msg_receiver;
  MessagePtr message;
  if (task.wait.resumed) {
    if (receiver.message != nullptr) {
      message = std::move(receiver.message);
      return deliver(task, buffer, bytes, *message);
    }
    if (receiver.error) {
      return fail(*receiver.error);
    }
    if (signal_pending(task)) {
      return fail(kRestartNoHand);
    }
  } else if (id < 0 || static_cast<int32_t>(bytes) < 0) {
    return fail(Errno::kEINVAL);
  }
  MessagePtr copy;
  if ((flags & MsgReceiveFlag::kCopy) != 0) {
    if ((flags & MsgReceiveFlag::kExcept) != 0 || (flags & IpcFlag::kNoWait) == 0) {
      return fail(Errno::kEINVAL);
    }
    // Linux: prepare_copy, which takes a message of what stands in the buffer.
    FL_TRY_ASSIGN(copy, load(kernel, task, 0, buffer, std::min(bytes, msg.limits().message)));
  }
  FL_TRY_ASSIGN(MsgQueue* const queue, queue_for(kernel, task, id));
  FL_TRY_ASSIGN(message,
                msg.receive(task, *queue, {.type = type, .max_bytes = bytes, .flags = flags}, std::move(copy)));
  if (message == nullptr) {
    return kernel.sleep(task, "msgrcv", static_cast<uint32_t>(id), std::nullopt);
  }
  return deliver(task, buffer, bytes, *message);
}

Result<uint32_t> ipc_msgctl(Kernel& kernel, Task& task, int32_t id, int32_t command, VirtAddr buffer,
                            IpcVersion version) {
  MsgQueues& msg = kernel.ipc().sysv.msg;
  if (id < 0 || command < 0) {
    return fail(Errno::kEINVAL);
  }
  switch (command) {
    case IpcCommand::kInfo:
    case MsgCommand::kInfo:
      return info(kernel, task, command, buffer);
    case IpcCommand::kStat:
    case MsgCommand::kStat:
    case MsgCommand::kStatAny:
      return stat(kernel, task, id, command, buffer, version);
    case IpcCommand::kSet: {
      FL_TRY_ASSIGN(const IpcChange change,
                    read_change(kernel, task, buffer, version, sizeof(Msqid64), sizeof(OldMsqid)));
      FL_TRY_ASSIGN(const uint32_t max_bytes, read_max_bytes(kernel, task, buffer, version));
      return zero_or(msg.change(task, id, change, max_bytes));
    }
    case IpcCommand::kRmid:
      return zero_or(msg.remove(task, id));
    default:
      return fail(Errno::kEINVAL);
  }
}

Result<uint32_t> sys_msgget(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return ipc_msgget(kernel, task, args.s(0), args[1]);
}
Result<uint32_t> sys_msgsnd(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return ipc_msgsnd(kernel, task, args.s(0), args.ptr(1), args[2], args[3]);
}
Result<uint32_t> sys_msgrcv(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return ipc_msgrcv(kernel, task, args.s(0), args.ptr(1), args[2], args.s(3), args[4]);
}
Result<uint32_t> sys_msgctl(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return ipc_msgctl(kernel, task, args.s(0), args.s(1), args.ptr(2), IpcVersion::k64);
}

}  // namespace fl::guest
