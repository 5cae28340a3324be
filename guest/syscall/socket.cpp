// The socket calls but those that move bytes, and socketcall. Linux counterpart: net/socket.c, net/core/sock.c,
// net/unix/af_unix.c.
//
// Only AF_UNIX is there, every other family answers EAFNOSUPPORT. Of SOL_SOCKET's options there are only those that
// mean something to local sockets.
#include <array>

#include "guest/ipc/ipc.hpp"
#include "guest/syscall/socket_support.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/time_types.hpp"

namespace fl::guest {
namespace {

struct SockFlag {
  static constexpr uint32_t kTypeMask = 0xf, kNonBlock = OpenFlag::kNonBlock, kCloseOnExec = OpenFlag::kCloseOnExec;
};

// The type of a new socket without its flags. Linux: __sock_create, unix_create.
Result<SocketType> check_socket(int32_t family, uint32_t type, int32_t protocol) {
  constexpr uint32_t kMostTypes = 11, kRaw = 3;
  if ((type & ~(SockFlag::kTypeMask | SockFlag::kNonBlock | SockFlag::kCloseOnExec)) != 0) {
    return fail(Errno::kEINVAL);
  }
  constexpr int32_t kFamilies = 46;
  if (family < 0 || family >= kFamilies) {
    return fail(Errno::kEAFNOSUPPORT);
  }
  const uint32_t kind = type & SockFlag::kTypeMask;
  if (kind >= kMostTypes) {
    return fail(Errno::kEINVAL);
  }
  if (family != static_cast<int32_t>(kAfUnix)) {
    return fail(Errno::kEAFNOSUPPORT);
  }
  if (protocol != 0 && protocol != static_cast<int32_t>(kAfUnix)) {
    return fail(NetErrno::kEPROTONOSUPPORT);
  }
  switch (kind) {
    case static_cast<uint32_t>(SocketType::kStream):
      return SocketType::kStream;
    case static_cast<uint32_t>(SocketType::kDatagram):
    case kRaw:
      return SocketType::kDatagram;
    case static_cast<uint32_t>(SocketType::kSeqPacket):
      return SocketType::kSeqPacket;
    default:
      return fail(NetErrno::kESOCKTNOSUPPORT);
  }
}

Result<std::shared_ptr<SocketFile>> make_socket(Kernel& kernel, SocketType type, uint32_t flags) {
  Ipc& ipc = kernel.ipc();
  FL_TRY_ASSIGN(auto socket, make_shared_object(ipc.unix_socket, kernel.memory(), ipc, type));
  return make_socket_file(kernel, std::move(socket), flags);
}

Result<uint32_t> install(Task& task, std::shared_ptr<OpenFile> file, uint32_t flags) {
  return task.files->install(std::move(file), close_on_exec(flags), descriptor_limit(task));
}

Result<uint32_t> connect_datagram(Kernel& kernel, Task& task, SocketFile& file, const SyscallArgs& args) {
  constexpr int32_t kFamilyBytes = 2;
  if (args.s(2) < kFamilyBytes) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto family, task.user().get<uint16_t>(args.ptr(1)));
  if (family == 0) {
    return zero_or(file.socket().connect_datagram(nullptr));
  }
  FL_TRY_ASSIGN(const std::string name, read_address(task, args.ptr(1), args.s(2)));
  FL_TRY_ASSIGN(const auto other, find_socket(kernel, task, name, file.socket().type));
  return zero_or(file.socket().connect_datagram(other));
}

Result<uint32_t> accept(Kernel& kernel, Task& task, const SyscallArgs& args, uint32_t flags) {
  if ((flags & ~(SockFlag::kNonBlock | SockFlag::kCloseOnExec)) != 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto file, socket_of_call(task, args[0]));
  // The descriptor is had first. Linux: get_unused_fd_flags in __sys_accept4_file.
  FL_TRY(task.files->lowest_free(descriptor_limit(task), 0));
  UnixSocket& socket = file->socket();
  const auto made = socket.accept();
  if (!made) {
    return made.error() == Errno::kEAGAIN ? wait_on_socket(kernel, task, file, socket.waiting, file->nonblocking(),
                                                           socket.receive_timeout_ns, "accept", args[0])
                                          : fail(made.error());
  }
  FL_TRY_ASSIGN(auto made_file, make_socket_file(kernel, *made, flags));
  if (args[1] != 0) {
    const UnixSocket* const peer = (*made)->peer.get();
    FL_TRY(write_address(task, peer != nullptr ? peer->name.get() : nullptr, args.ptr(1), args.ptr(2)));
  }
  return install(task, std::move(made_file), flags);
}

struct SocketOption {
  enum Name : uint32_t {
    kReuseAddr = 2,
    kType = 3,
    kError = 4,
    kBroadcast = 6,
    kSendBuffer = 7,
    kReceiveBuffer = 8,
    kKeepAlive = 9,
    kLinger = 13,
    kPassCredentials = 16,
    kPeerCredentials = 17,
    kReceiveLowWater = 18,
    kSendLowWater = 19,
    kReceiveTimeout = 20,
    kSendTimeout = 21,
    kAcceptConnections = 30,
    kProtocol = 38,
    kDomain = 39,
  };
};
constexpr uint32_t kSolSocket = 1;

// The words of an option's value; none: ENOPROTOOPT.
struct OptionValue {
  std::array<uint32_t, 3> words{};
  uint32_t count = 1;
};

OptionValue time_value(const std::optional<uint64_t>& ns) {
  const Timeval32 time = Timeval32::from_ns(ns.value_or(0));
  return {{static_cast<uint32_t>(time.seconds), static_cast<uint32_t>(time.microseconds), 0}, 2};
}

std::optional<OptionValue> get_option(UnixSocket& socket, uint32_t name) {
  const auto word = [](uint32_t value) { return OptionValue{{value, 0, 0}, 1}; };
  switch (name) {
    case SocketOption::kReuseAddr:
      return word(socket.reuse_address ? 1 : 0);
    case SocketOption::kKeepAlive:
      return word(socket.keep_alive ? 1 : 0);
    case SocketOption::kType:
      return word(static_cast<uint32_t>(socket.type));
    case SocketOption::kError:
      return word(socket.take_error());
    case SocketOption::kBroadcast:
    case SocketOption::kProtocol:
      return word(0);
    case SocketOption::kSendBuffer:
      return word(socket.send_buffer);
    case SocketOption::kReceiveBuffer:
      return word(socket.receive_buffer);
    case SocketOption::kLinger:
      return OptionValue{{0, 0, 0}, 2};
    case SocketOption::kPassCredentials:
      return word(socket.pass_credentials ? 1 : 0);
    case SocketOption::kPeerCredentials:
      return OptionValue{{socket.peer_credentials.pid, socket.peer_credentials.uid, socket.peer_credentials.gid}, 3};
    case SocketOption::kReceiveLowWater:
    case SocketOption::kSendLowWater:
      return word(1);
    case SocketOption::kReceiveTimeout:
      return time_value(socket.receive_timeout_ns);
    case SocketOption::kSendTimeout:
      return time_value(socket.send_timeout_ns);
    case SocketOption::kAcceptConnections:
      return word(socket.state == UnixSocket::State::kListening ? 1 : 0);
    case SocketOption::kDomain:
      return word(kAfUnix);
    default:
      return std::nullopt;
  }
}

// Linux: sock_set_timeout. 0 is for ever.
Result<std::optional<uint64_t>> timeout_option(Task& task, VirtAddr from, uint32_t length) {
  constexpr int32_t kMicrosecondsPerSecond = 1'000'000;
  if (length < sizeof(Timeval32)) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto time, task.user().get<Timeval32>(from));
  if (time.microseconds < 0 || time.microseconds >= kMicrosecondsPerSecond) {
    return fail(Errno::kEDOM);
  }
  const uint64_t ns = time.seconds < 0 ? 0
                                       : static_cast<uint64_t>(time.seconds) * kNsPerSecond +
                                             static_cast<uint64_t>(time.microseconds) * 1000;
  return ns != 0 ? std::optional(ns) : std::nullopt;
}

uint32_t buffer_size(int32_t asked, uint32_t least) {
  const uint32_t most = std::min<uint32_t>(static_cast<uint32_t>(asked), UnixSocket::kDefaultBuffer);
  return std::max(most * 2, least);
}

Status set_option(Task& task, UnixSocket& socket, uint32_t name, VirtAddr from, uint32_t length) {
  FL_TRY_ASSIGN(const auto value, task.user().get<int32_t>(from));
  constexpr uint32_t kLeastSend = 4608, kLeastReceive = 2304;
  switch (name) {
    case SocketOption::kReuseAddr:
      socket.reuse_address = value != 0;
      return {};
    case SocketOption::kKeepAlive:
      socket.keep_alive = value != 0;
      return {};
    case SocketOption::kSendBuffer:
      socket.send_buffer = buffer_size(value, kLeastSend);
      socket.waiting.wake_all(PollEvent::kOut);
      return {};
    case SocketOption::kReceiveBuffer:
      socket.receive_buffer = buffer_size(value, kLeastReceive);
      return {};
    case SocketOption::kPassCredentials:
      socket.pass_credentials = value != 0;
      return {};
    case SocketOption::kReceiveTimeout: {
      FL_TRY_ASSIGN(socket.receive_timeout_ns, timeout_option(task, from, length));
      return {};
    }
    case SocketOption::kSendTimeout: {
      FL_TRY_ASSIGN(socket.send_timeout_ns, timeout_option(task, from, length));
      return {};
    }
    default:
      return fail(NetErrno::kENOPROTOOPT);
  }
}

}  // namespace

Result<uint32_t> sys_socket(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const SocketType type, check_socket(args.s(0), args[1], args.s(2)));
  FL_TRY_ASSIGN(auto file, make_socket(kernel, type, args[1]));
  return install(task, std::move(file), args[1]);
}

Result<uint32_t> sys_socketpair(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const SocketType type, check_socket(args.s(0), args[1], args.s(2)));
  FL_TRY_ASSIGN(const auto a, make_socket(kernel, type, args[1]));
  FL_TRY_ASSIGN(const auto b, make_socket(kernel, type, args[1]));
  UnixSocket::pair(a->socket(), b->socket(), peer_credentials(task));
  FL_TRY_ASSIGN(const uint32_t first, install(task, a, args[1]));
  const auto second = install(task, b, args[1]);
  const Status told =
      second ? task.user().put(args.ptr(3), std::array<uint32_t, 2>{first, *second}) : Status(fail(second.error()));
  if (!told) {
    static_cast<void>(task.files->close(first));
    if (second) {
      static_cast<void>(task.files->close(*second));
    }
    return fail(told.error());
  }
  return 0;
}

Result<uint32_t> sys_bind(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const auto file, socket_of_call(task, args[0]));
  FL_TRY_ASSIGN(const std::string name, read_address(task, args.ptr(1), args.s(2)));
  UnixSocket& socket = file->socket();
  if (name.empty() || name[0] == '\0') {
    return zero_or(socket.bind(name));
  }
  if (socket.name != nullptr) {
    return fail(Errno::kEINVAL);
  }
  constexpr uint32_t kAllMay = 0777;
  const Status made = kernel.vfs().mknod(at_cwd(task), name, FileMode::kSocket | (kAllMay & ~task.fs->umask));
  if (!made) {
    return fail(made.error() == Errno::kEEXIST ? NetErrno::kEADDRINUSE : made.error());
  }
  FL_TRY_ASSIGN(auto inode, kernel.vfs().socket_at(at_cwd(task), name));
  return zero_or(socket.bind_file(name, std::move(inode)));
}

Result<uint32_t> sys_listen(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const auto file, socket_of_call(task, args[0]));
  return zero_or(file->socket().listen(args.s(1), peer_credentials(task)));
}

Result<uint32_t> sys_connect(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const auto file, socket_of_call(task, args[0]));
  UnixSocket& socket = file->socket();
  if (socket.type == SocketType::kDatagram) {
    return connect_datagram(kernel, task, *file, args);
  }
  FL_TRY_ASSIGN(const std::string name, read_address(task, args.ptr(1), args.s(2)));
  FL_TRY_ASSIGN(const auto listener, find_socket(kernel, task, name, socket.type));
  const Status connected = socket.connect_stream(*listener, peer_credentials(task));
  if (!connected && connected.error() == Errno::kEAGAIN) {
    return wait_on_socket(kernel, task, file, listener->room, file->nonblocking(), socket.send_timeout_ns, "connect",
                          args[0]);
  }
  return zero_or(connected);
}

Result<uint32_t> sys_accept(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return accept(kernel, task, args, 0);
}
Result<uint32_t> sys_accept4(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return accept(kernel, task, args, args[3]);
}

Result<uint32_t> sys_shutdown(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const auto file, socket_of_call(task, args[0]));
  return zero_or(file->socket().shutdown(args[1]));
}

Result<uint32_t> sys_getsockname(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const auto file, socket_of_call(task, args[0]));
  return zero_or(write_address(task, file->socket().name.get(), args.ptr(1), args.ptr(2)));
}

Result<uint32_t> sys_getpeername(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const auto file, socket_of_call(task, args[0]));
  const std::shared_ptr<UnixSocket>& peer = file->socket().peer;
  if (peer == nullptr) {
    return fail(NetErrno::kENOTCONN);
  }
  return zero_or(write_address(task, peer->name.get(), args.ptr(1), args.ptr(2)));
}

// fd, level, name, value, its length.
Result<uint32_t> sys_getsockopt(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const auto file, socket_of_call(task, args[0]));
  if (args[1] != kSolSocket) {
    return fail(Errno::kEOPNOTSUPP);
  }
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const auto room, user.get<int32_t>(args.ptr(4)));
  if (room < 0) {
    return fail(Errno::kEINVAL);
  }
  const std::optional<OptionValue> value = get_option(file->socket(), args[2]);
  if (!value) {
    return fail(NetErrno::kENOPROTOOPT);
  }
  const uint32_t length = std::min(static_cast<uint32_t>(room), value->count * static_cast<uint32_t>(sizeof(uint32_t)));
  FL_TRY(user.write(args.ptr(3), std::as_bytes(std::span(value->words)).first(length)));
  FL_TRY(user.put(args.ptr(4), length));
  return 0;
}

Result<uint32_t> sys_setsockopt(Kernel&, Task& task, const SyscallArgs& args) {
  if (args.s(4) < 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto file, socket_of_call(task, args[0]));
  if (args[1] != kSolSocket) {
    return fail(Errno::kEOPNOTSUPP);
  }
  if (args[4] < sizeof(int32_t)) {
    return fail(Errno::kEINVAL);
  }
  return zero_or(set_option(task, file->socket(), args[2], args.ptr(3), args[4]));
}

// One call for all: a number and where the arguments are. Linux: sys_socketcall.
Result<uint32_t> sys_socketcall(Kernel& kernel, Task& task, const SyscallArgs& args) {
  struct Call {
    SyscallHandler handler;
    uint32_t arguments;
  };
  static constexpr std::array<Call, 21> kCalls{
      {{nullptr, 0},        {sys_socket, 3},      {sys_bind, 3},        {sys_connect, 3},    {sys_listen, 2},
       {sys_accept, 3},     {sys_getsockname, 3}, {sys_getpeername, 3}, {sys_socketpair, 4}, {sys_send, 4},
       {sys_recv, 4},       {sys_sendto, 6},      {sys_recvfrom, 6},    {sys_shutdown, 2},   {sys_setsockopt, 5},
       {sys_getsockopt, 5}, {sys_sendmsg, 3},     {sys_recvmsg, 3},     {sys_accept4, 4},    {sys_ni_syscall, 0},
       {sys_ni_syscall, 0}}};
  if (args[0] == 0 || args[0] >= kCalls.size()) {
    return fail(Errno::kEINVAL);
  }
  const Call& call = kCalls[args[0]];
  SyscallArgs given{};
  FL_TRY(task.user().read(std::as_writable_bytes(std::span(given.a).first(call.arguments)), args.ptr(1)));
  return call.handler(kernel, task, given);
}

}  // namespace fl::guest
