// UnixSocket: one end of a local connection; UnixNames: the abstract names. Linux counterparts: struct unix_sock,
// struct unix_address, unix_socket_table (net/unix/af_unix.c).
//
// What was sent waits in the queue of the receiver. A socket lives as long as its file, a connection that was not
// accepted yet, or messages that it sent. Simplified: no MSG_OOB, no SO_PEEK_OFF, no security labels.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>

#include "guest/net/net_errno.hpp"
#include "guest/net/socket_buffer.hpp"
#include "guest/task/wait_queue.hpp"
#include "vm/slab/object_cache.hpp"

namespace fl::guest {

struct Ipc;

enum class SocketType : uint8_t { kStream = 1, kDatagram = 2, kSeqPacket = 5 };

// sun_path as given; an abstract one begins with a NUL. Linux: struct unix_address.
struct UnixName : boost::intrusive::set_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  static constexpr size_t kMostBytes = 108;
  std::array<char, kMostBytes> bytes{};
  uint8_t length = 0;
  SocketType type{};                  // sockets of another type may have the same abstract name
  std::shared_ptr<const void> inode;  // of a name in the file tree
  UnixSocket* socket = nullptr;       // who is bound to it

  std::string_view view() const { return {bytes.data(), length}; }
  auto key() const {
    return inode != nullptr ? std::tuple(inode.get(), SocketType{}, std::string_view())
                            : std::tuple(inode.get(), type, view());
  }
  bool operator<(const UnixName& other) const { return key() < other.key(); }
};

class UnixSocket;
// All that live. Linux: gc_inflight_list knows those in flight.
using UnixSockets = boost::intrusive::list<UnixSocket, boost::intrusive::constant_time_size<false>>;
// Frees the messages of sockets that nobody can reach any more, because their files are only in the queues of such
// sockets. Linux: unix_gc.
void collect_unix_garbage(Ipc& ipc);

// The names that are in use: abstract ones, and files by their inodes.
class UnixNames {
 public:
  UnixName* find(std::string_view name, SocketType type);
  UnixName* find(const void* inode);
  void insert(UnixName& name) { names_.insert(name); }

  uint32_t next_auto = 1;  // of autobind

 private:
  boost::intrusive::set<UnixName, boost::intrusive::constant_time_size<false>> names_;
};

// MSG_*.
struct MsgFlag {
  enum Bit : uint32_t {
    kOob = 1,
    kPeek = 2,
    kCtrunc = 8,
    kTrunc = 0x20,
    kDontWait = 0x40,
    kEor = 0x80,
    kWaitAll = 0x100,
    kErrQueue = 0x2000,
    kNoSignal = 0x4000,
    kCmsgCloexec = 0x40000000,
  };
};

// What recvmsg learns besides the bytes.
struct Received {
  uint32_t bytes = 0;      // stored
  uint32_t full = 0;       // length of the whole message
  bool truncated = false;  // MSG_TRUNC
  std::shared_ptr<const UnixName> from;
  std::optional<PeerCredentials> credentials;
  std::optional<PassedFiles> files;
};

// What sendmsg gives besides the bytes.
struct Sending {
  std::shared_ptr<UnixSocket> to;  // null: the peer
  PeerCredentials credentials;
  std::optional<PassedFiles> files;
};

class UnixSocket : public std::enable_shared_from_this<UnixSocket>,
                   public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  UnixSocket(vm::MemorySystem& memory, Ipc& ipc, SocketType kind);
  UnixSocket(const UnixSocket&) = delete;
  UnixSocket& operator=(const UnixSocket&) = delete;
  ~UnixSocket();

  enum class State : uint8_t { kUnconnected, kListening, kConnected };
  struct Shutdown {
    static constexpr uint32_t kReceive = 1, kSend = 2, kBoth = 3;
  };
  static constexpr uint32_t kDefaultBuffer = 212992;  // Linux: SK_WMEM_MAX on 64 bits

  // The file is closed for good. Linux: unix_release_sock.
  void release();
  // Connects two new ones. Linux: unix_socketpair.
  static void pair(UnixSocket& a, UnixSocket& b, const PeerCredentials& who);
  // EINVAL: it has a name; EADDRINUSE; ENOMEM. An empty name: any free one. Linux: unix_bind_abstract, unix_autobind.
  Status bind(std::string_view name);
  // To a file that was made for it. Linux: unix_bind_bsd.
  Status bind_file(std::string_view name, std::shared_ptr<const void> inode);
  Status listen(int32_t backlog, const PeerCredentials& who);
  // EAGAIN: the queue of the listener is full (it waits on listener.room). Linux: unix_stream_connect.
  Status connect_stream(UnixSocket& listener, const PeerCredentials& who);
  // Null: forget the peer. Linux: unix_dgram_connect.
  Status connect_datagram(const std::shared_ptr<UnixSocket>& other);
  // The next connection. EAGAIN, EINVAL. Linux: unix_accept.
  Result<std::shared_ptr<UnixSocket>> accept();
  Status shutdown(uint32_t how);

  // How many bytes went. EAGAIN: no room (it waits on `waiting`, or on the receiver's `room`). Linux:
  // unix_stream_sendmsg, unix_dgram_sendmsg.
  Result<uint32_t> send(IoBuffer& from, Sending& message);
  // EAGAIN: nothing there. Linux: unix_stream_read_generic, __unix_dgram_recvmsg.
  Result<Received> receive(IoBuffer& to, uint32_t flags);
  uint32_t poll() const;
  // Bytes that can be read; of datagrams, of the first one. Linux: unix_inq_len.
  uint32_t readable_bytes() const;
  // SO_ERROR: told once.
  uint32_t take_error() { return std::exchange(error_, 0); }

  const SocketType type;
  State state = State::kUnconnected;
  bool dead = false;  // its file is closed
  std::shared_ptr<UnixSocket> peer;
  std::shared_ptr<const UnixName> name;
  PeerCredentials peer_credentials;
  uint32_t shut = 0;
  bool pass_credentials = false;
  bool reuse_address = false, keep_alive = false;
  uint32_t send_buffer = kDefaultBuffer, receive_buffer = kDefaultBuffer;
  std::optional<uint64_t> receive_timeout_ns, send_timeout_ns;  // none: for ever
  WaitQueue waiting;                                            // its own readers and writers
  WaitQueue room;                                               // who wants to send to it or connect. Linux: peer_wait

 private:
  friend void collect_unix_garbage(Ipc& ipc);
  bool stream() const { return type == SocketType::kStream; }
  // Linux: unix_writable.
  bool writable() const { return uint64_t{used_} * 4 <= send_buffer; }
  bool queue_full() const;
  Result<uint32_t> send_stream(IoBuffer& from, Sending& message);
  Result<uint32_t> send_datagram(IoBuffer& from, Sending& message);
  Status deliver(UnixSocket& to, IoBuffer& from, uint32_t head, uint32_t paged, Sending& message);
  Result<Received> receive_stream(IoBuffer& to, uint32_t flags);
  Result<Received> receive_message(IoBuffer& to, uint32_t flags);
  void free_buffer(SocketBuffer& buffer);
  void drop_queue();
  Result<Received> attach(Received received, SocketBuffer& buffer, bool peek) const;

  vm::MemorySystem& memory_;
  Ipc& ipc_;
  std::shared_ptr<UnixName> own_name_;  // what it was bound to
  boost::intrusive::list<SocketBuffer> queue_;
  uint32_t used_ = 0;  // of send_buffer. Linux: sk_wmem_alloc
  uint32_t error_ = 0;
  uint32_t backlog_ = 10;  // Linux: sk_max_ack_backlog; sysctl_max_dgram_qlen
  // Connections that wait to be accepted, through next_pending_.
  std::shared_ptr<UnixSocket> first_pending_, next_pending_;
  uint32_t pending_ = 0;
};

}  // namespace fl::guest
