// send, recv and their kind, with control messages. Linux counterparts: ___sys_sendmsg, ___sys_recvmsg (net/socket.c),
// net/core/scm.c.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "guest/signal/send.hpp"
#include "guest/syscall/socket_support.hpp"
#include "guest/syscall/syscall.hpp"

namespace fl::guest {
namespace {

// struct msghdr and struct cmsghdr of i386.
struct MsgHdr32 {
  uint32_t name;
  int32_t name_length;
  uint32_t iov, iov_length, control, control_length, flags;
};
static_assert(sizeof(MsgHdr32) == 28);
struct CmsgHdr32 {
  uint32_t length;
  int32_t level, type;
};
constexpr int32_t kSolSocket = 1, kScmRights = 1, kScmCredentials = 2;
constexpr uint32_t kMostFiles = 253;       // Linux: SCM_MAX_FD
constexpr uint32_t kMostControl = 131072;  // Linux: sysctl_optmem_max
constexpr uint32_t kMostSegments = 1024;   // UIO_MAXIOV

constexpr uint32_t align4(uint32_t bytes) { return (bytes + 3) & ~3u; }

// Linux: copy_msghdr_from_user, import_iovec.
Result<std::vector<UserSegment>> read_segments(Task& task, VirtAddr iov, uint32_t count) {
  if (count > kMostSegments) {
    return fail(NetErrno::kEMSGSIZE);
  }
  struct Iovec {
    uint32_t base, length;
  };
  std::vector<UserSegment> segments;
  uint32_t total = 0;
  for (uint32_t i = 0; i < count; ++i) {
    FL_TRY_ASSIGN(const auto each, task.user().get<Iovec>(iov + i * static_cast<uint32_t>(sizeof(Iovec))));
    if (each.length > INT32_MAX) {
      return fail(Errno::kEINVAL);
    }
    if (!vm::UserAccess::access_ok(VirtAddr(each.base), each.length)) {
      return fail(Errno::kEFAULT);
    }
    const uint32_t length = std::min(each.length, kMaxTransfer - total);
    segments.push_back({VirtAddr(each.base), length});
    total += length;
  }
  return segments;
}

// Linux: scm_fp_copy.
Status make_room_for_files(Kernel& kernel, std::span<const std::byte> data, Sending& message) {
  const auto count = static_cast<uint32_t>(data.size() / sizeof(uint32_t));
  if (count > kMostFiles) {
    return fail(Errno::kEINVAL);
  }
  return vm::with_memory([&] {
    if (!message.files) {
      message.files.emplace(vm::SlabStlAllocator<std::shared_ptr<OpenFile>>(kernel.memory().slab()));
    }
    message.files->reserve(message.files->size() + count);
  });
}

// Linux: scm_check_creds.
bool may_claim(const Task& task, const PeerCredentials& who) {
  const Credentials& cred = task.cred;
  const bool uid = who.uid == cred.uid || who.uid == cred.euid || who.uid == cred.suid;
  const bool gid = who.gid == cred.gid || who.gid == cred.egid || who.gid == cred.sgid;
  return cred.euid == 0 || (who.pid == task.tgid && uid && gid);
}

// Linux: __scm_send.
Status read_control(Kernel& kernel, Task& task, VirtAddr from, uint32_t length, Sending& message) {
  if (length > kMostControl) {
    return fail(NetErrno::kENOBUFS);
  }
  std::vector<std::byte> bytes(length);
  FL_TRY(task.user().read(bytes, from));
  for (uint32_t at = 0; length - at >= sizeof(CmsgHdr32);) {
    CmsgHdr32 head;
    std::memcpy(&head, bytes.data() + at, sizeof head);
    if (head.length < sizeof head || head.length > length - at) {
      return fail(Errno::kEINVAL);
    }
    const std::span<const std::byte> data(bytes.data() + at + sizeof head, head.length - sizeof head);
    if (head.level == kSolSocket) {
      if (head.type == kScmRights) {
        FL_TRY(make_room_for_files(kernel, data, message));
        for (size_t i = 0; i + sizeof(uint32_t) <= data.size(); i += sizeof(uint32_t)) {
          uint32_t fd = 0;
          std::memcpy(&fd, data.data() + i, sizeof fd);
          std::shared_ptr<OpenFile> file = task.files->share(fd);
          if (file == nullptr) {
            return fail(Errno::kEBADF);
          }
          message.files->push_back(std::move(file));
        }
      } else if (head.type == kScmCredentials) {
        PeerCredentials who;
        if (data.size() != sizeof who) {
          return fail(Errno::kEINVAL);
        }
        std::memcpy(&who, data.data(), sizeof who);
        if (!may_claim(task, who)) {
          return fail(Errno::kEPERM);
        }
        message.credentials = who;
      } else {
        return fail(Errno::kEINVAL);
      }
    }
    at += std::min(align4(head.length), length - at);
  }
  if (message.files && message.files->empty()) {
    message.files.reset();
  }
  return {};
}

struct Target {
  std::shared_ptr<SocketFile> file;
  uint32_t fd;
  uint32_t flags;
  bool nonblocking() const { return file->nonblocking() || (flags & MsgFlag::kDontWait) != 0; }
};

// Where a datagram goes that has an address. Linux: the first lines of unix_*_sendmsg.
Status set_destination(Kernel& kernel, Task& task, const UnixSocket& socket, VirtAddr name, int32_t length,
                       Sending& message) {
  if (name.value() == 0 || length == 0) {
    return {};
  }
  if (socket.type == SocketType::kStream) {
    return fail(socket.state == UnixSocket::State::kConnected ? NetErrno::kEISCONN : Errno::kEOPNOTSUPP);
  }
  if (socket.type == SocketType::kSeqPacket) {
    return {};  // not looked at
  }
  FL_TRY_ASSIGN(const std::string text, read_address(task, name, length));
  FL_TRY_ASSIGN(message.to, find_socket(kernel, task, text, socket.type));
  return {};
}

// What was sent before a sleep is in wait.progress.
Result<uint32_t> send(Kernel& kernel, Task& task, const Target& target, UserBuffer& buffer, Sending& message) {
  UnixSocket& socket = target.file->socket();
  if ((target.flags & MsgFlag::kOob) != 0) {
    return fail(Errno::kEOPNOTSUPP);
  }
  if (socket.type == SocketType::kSeqPacket && socket.state != UnixSocket::State::kConnected) {
    return fail(NetErrno::kENOTCONN);
  }
  const uint32_t before = task.wait.progress;
  buffer.advance(before);
  Result<uint32_t> result = socket.send(buffer, message);
  const bool stream = socket.type == SocketType::kStream;
  if (result && stream && buffer.left() > 0 && !target.nonblocking() && socket.peer != nullptr) {
    task.wait.progress = before + *result;  // it is full
    result = fail(Errno::kEAGAIN);
  }
  if (result) {
    return before + *result;
  }
  const uint32_t done = task.wait.progress;
  if (result.error() == Errno::kEAGAIN) {
    UnixSocket* const to = message.to != nullptr ? message.to.get() : socket.peer.get();
    // No room in the own buffer, or too many wait there already.
    WaitQueue& queue =
        stream || to == nullptr || (socket.poll() & PollEvent::kWriteBand) == 0 ? socket.waiting : to->room;
    result = wait_on_socket(kernel, task, target.file, queue, target.nonblocking(), socket.send_timeout_ns, "send",
                            target.fd);
    return !result && result.error() != kCallSleeps && done > 0 ? Result<uint32_t>(done) : result;
  }
  if (done > 0) {
    return done;
  }
  if (result.error() == Errno::kEPIPE && stream && (target.flags & MsgFlag::kNoSignal) == 0) {
    const SignalInfo info{.signal = Signal::kPipe, .code = SiCode::kUser, .pid = task.tgid, .uid = task.cred.uid};
    static_cast<void>(send_signal(kernel, task, info, SignalTarget::kTask));
  }
  return result;
}

// What MSG_WAITALL has got before a sleep is in wait.progress.
Result<Received> receive(Kernel& kernel, Task& task, const Target& target, UserBuffer& buffer) {
  UnixSocket& socket = target.file->socket();
  if ((target.flags & MsgFlag::kOob) != 0) {
    return fail(Errno::kEOPNOTSUPP);
  }
  const uint32_t before = task.wait.progress;
  buffer.advance(before);
  auto received = socket.receive(buffer, target.flags);
  const bool wants_all = socket.type == SocketType::kStream && (target.flags & MsgFlag::kWaitAll) != 0 &&
                         (target.flags & MsgFlag::kPeek) == 0;
  const bool ended = (socket.shut & UnixSocket::Shutdown::kReceive) != 0;
  if (received && wants_all && !received->files && buffer.left() > 0 && !ended && !target.nonblocking()) {
    task.wait.progress = before + received->bytes;
    received = fail(Errno::kEAGAIN);
  }
  if (received) {
    received->bytes += before;
    received->full += before;
    return received;
  }
  if (received.error() != Errno::kEAGAIN) {
    return received;
  }
  const auto waits = wait_on_socket(kernel, task, target.file, socket.waiting, target.nonblocking(),
                                    socket.receive_timeout_ns, "recv", target.fd);
  if (waits.error() != kCallSleeps && task.wait.progress > 0) {
    Received part;
    part.bytes = part.full = task.wait.progress;
    return part;
  }
  return fail(waits.error());
}

uint32_t answer(const Received& received, uint32_t flags) {
  return (flags & MsgFlag::kTrunc) != 0 && received.truncated ? received.full : received.bytes;
}

Result<uint32_t> send_bytes(Kernel& kernel, Task& task, const SyscallArgs& args, VirtAddr name, int32_t name_length) {
  if (!vm::UserAccess::access_ok(args.ptr(1), args[2])) {
    return fail(Errno::kEFAULT);
  }
  FL_TRY_ASSIGN(const auto file, socket_of_call(task, args[0]));
  Sending message;
  message.credentials = peer_credentials(task);
  FL_TRY(set_destination(kernel, task, file->socket(), name, name_length, message));
  vm::UserAccess user = task.user();
  UserBuffer buffer(user, args.ptr(1), std::min(args[2], kMaxTransfer));
  return send(kernel, task, {file, args[0], args[3]}, buffer, message);
}

Result<uint32_t> receive_bytes(Kernel& kernel, Task& task, const SyscallArgs& args, VirtAddr name,
                               VirtAddr name_length) {
  if (!vm::UserAccess::access_ok(args.ptr(1), args[2])) {
    return fail(Errno::kEFAULT);
  }
  FL_TRY_ASSIGN(const auto file, socket_of_call(task, args[0]));
  vm::UserAccess user = task.user();
  UserBuffer buffer(user, args.ptr(1), std::min(args[2], kMaxTransfer));
  FL_TRY_ASSIGN(const Received received, receive(kernel, task, {file, args[0], args[3]}, buffer));
  if (name.value() != 0) {
    if (received.from != nullptr) {
      FL_TRY(write_address(task, received.from.get(), name, name_length));
    } else {
      FL_TRY(user.put(name_length, uint32_t{0}));
    }
  }
  return answer(received, args[3]);
}

// Control messages for the receiver, as many as fit. Linux: scm_recv, put_cmsg, scm_detach_fds.
class ControlWriter {
 public:
  ControlWriter(Task& task, const MsgHdr32& head) : task_(task), at_(head.control), left_(head.control_length) {}

  void put_credentials(const PeerCredentials& who) {
    const CmsgHdr32 head{sizeof(CmsgHdr32) + sizeof who, kSolSocket, kScmCredentials};
    std::array<std::byte, sizeof head + sizeof who> bytes;
    std::memcpy(bytes.data(), &head, sizeof head);
    std::memcpy(bytes.data() + sizeof head, &who, sizeof who);
    if (left_ < sizeof head) {
      truncated_ = true;
      return;
    }
    const auto stored = static_cast<uint32_t>(std::min<size_t>(bytes.size(), left_));
    truncated_ = truncated_ || stored < bytes.size();
    if (task_.user().write(VirtAddr(at_), std::span(bytes).first(stored))) {
      advance(stored);
    }
  }
  // The files become descriptors of the task; those without room are closed.
  void put_files(const PassedFiles& files, CloseOnExec close) {
    const uint32_t room = left_ <= sizeof(CmsgHdr32) ? 0 : (left_ - static_cast<uint32_t>(sizeof(CmsgHdr32))) / 4;
    uint32_t count = 0;
    while (count < files.size() && count < room) {
      const auto fd = task_.files->install(files[count], close, descriptor_limit(task_));
      if (!fd) {
        break;
      }
      if (!task_.user().put(VirtAddr(at_) + static_cast<uint32_t>(sizeof(CmsgHdr32)) + count * 4, *fd)) {
        static_cast<void>(task_.files->close(*fd));
        break;
      }
      ++count;
    }
    if (count > 0) {
      const CmsgHdr32 head{static_cast<uint32_t>(sizeof(CmsgHdr32)) + count * 4, kSolSocket, kScmRights};
      if (task_.user().put(VirtAddr(at_), head)) {
        advance(std::min(align4(head.length), left_));
      }
    }
    truncated_ = truncated_ || count < files.size();
  }
  bool truncated() const { return truncated_; }
  uint32_t end() const { return at_; }

 private:
  void advance(uint32_t bytes) {
    at_ += bytes;
    left_ -= bytes;
  }
  Task& task_;
  uint32_t at_, left_;
  bool truncated_ = false;
};

}  // namespace

Result<uint32_t> sys_send(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return send_bytes(kernel, task, args, VirtAddr(0), 0);
}
Result<uint32_t> sys_sendto(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return send_bytes(kernel, task, args, args.ptr(4), args.s(5));
}
Result<uint32_t> sys_recv(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return receive_bytes(kernel, task, args, VirtAddr(0), VirtAddr(0));
}
Result<uint32_t> sys_recvfrom(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return receive_bytes(kernel, task, args, args.ptr(4), args.ptr(5));
}

Result<uint32_t> sys_sendmsg(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const auto file, socket_of_call(task, args[0]));
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const auto head, user.get<MsgHdr32>(args.ptr(1)));
  if (head.name_length < 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(std::vector<UserSegment> segments, read_segments(task, VirtAddr(head.iov), head.iov_length));
  Sending message;
  message.credentials = peer_credentials(task);
  // Files go with the first bytes only.
  if (head.control_length > 0 && task.wait.progress == 0) {
    FL_TRY(read_control(kernel, task, VirtAddr(head.control), head.control_length, message));
  }
  FL_TRY(set_destination(kernel, task, file->socket(), VirtAddr(head.name), head.name_length, message));
  UserBuffer buffer(user, std::move(segments));
  return send(kernel, task, {file, args[0], args[2]}, buffer, message);
}

Result<uint32_t> sys_recvmsg(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kNameLength = 4, kControlLength = 20, kFlags = 24;
  FL_TRY_ASSIGN(const auto file, socket_of_call(task, args[0]));
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const auto head, user.get<MsgHdr32>(args.ptr(1)));
  if (head.name_length < 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(std::vector<UserSegment> segments, read_segments(task, VirtAddr(head.iov), head.iov_length));
  UserBuffer buffer(user, std::move(segments));
  FL_TRY_ASSIGN(const Received received, receive(kernel, task, {file, args[0], args[2]}, buffer));
  ControlWriter control(task, head);
  if (received.credentials) {
    control.put_credentials(*received.credentials);
  }
  if (received.files) {
    control.put_files(*received.files, (args[2] & MsgFlag::kCmsgCloexec) != 0 ? CloseOnExec::kYes : CloseOnExec::kNo);
  }
  if (head.name != 0) {
    if (received.from != nullptr) {
      FL_TRY(write_address(task, received.from.get(), VirtAddr(head.name), args.ptr(1) + kNameLength));
    } else {
      FL_TRY(user.put(args.ptr(1) + kNameLength, uint32_t{0}));
    }
  }
  const uint32_t told = (received.truncated ? uint32_t{MsgFlag::kTrunc} : 0u) |
                        (control.truncated() ? uint32_t{MsgFlag::kCtrunc} : 0u) | (args[2] & MsgFlag::kCmsgCloexec);
  FL_TRY(user.put(args.ptr(1) + kFlags, told));
  FL_TRY(user.put(args.ptr(1) + kControlLength, control.end() - head.control));
  return answer(received, args[2]);
}

}  // namespace fl::guest
