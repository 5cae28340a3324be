// Names, connections and ends of sockets. Sending and receiving are in unix_transfer.cpp. See unix_socket.hpp.
#include "guest/net/unix_socket.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "guest/fs/open_file.hpp"
#include "guest/ipc/ipc.hpp"

namespace fl::guest {

namespace {

using NameKey = std::tuple<const void*, SocketType, std::string_view>;
struct ByKey {
  bool operator()(const UnixName& a, const NameKey& b) const { return a.key() < b; }
  bool operator()(const NameKey& a, const UnixName& b) const { return a < b.key(); }
};

}  // namespace

UnixName* UnixNames::find(std::string_view name, SocketType type) {
  const auto found = names_.find(NameKey(nullptr, type, name), ByKey());
  return found == names_.end() ? nullptr : &*found;
}

UnixName* UnixNames::find(const void* inode) {
  const auto found = names_.find(NameKey(inode, SocketType{}, {}), ByKey());
  return found == names_.end() ? nullptr : &*found;
}

UnixSocket::UnixSocket(vm::MemorySystem& memory, Ipc& ipc, SocketType kind) : type(kind), memory_(memory), ipc_(ipc) {
  ipc_.unix_sockets.push_back(*this);
}

UnixSocket::~UnixSocket() { drop_queue(); }

void UnixSocket::pair(UnixSocket& a, UnixSocket& b, const PeerCredentials& who) {
  a.peer = b.shared_from_this();
  b.peer = a.shared_from_this();
  for (UnixSocket* const socket : {&a, &b}) {
    socket->peer_credentials = who;
    socket->state = State::kConnected;
  }
}

Status UnixSocket::bind(std::string_view wanted) {
  if (name != nullptr) {
    return wanted.empty() ? Status() : fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const std::shared_ptr<UnixName> made, make_shared_object(ipc_.unix_name));
  const auto set = [&](std::string_view bytes) {
    std::copy(bytes.begin(), bytes.end(), made->bytes.begin());
    made->length = static_cast<uint8_t>(bytes.size());
  };
  if (wanted.empty()) {
    constexpr uint32_t kNames = 1u << 20;
    for (uint32_t tries = 0; tries < kNames; ++tries) {
      std::string text(1, '\0');
      text += fmt::format("{:05x}", ipc_.unix_names.next_auto);
      ipc_.unix_names.next_auto = (ipc_.unix_names.next_auto + 1) % kNames;
      set(text);
      if (ipc_.unix_names.find(made->view(), type) == nullptr) {
        break;
      }
    }
  } else {
    set(wanted);
  }
  if (ipc_.unix_names.find(made->view(), type) != nullptr) {
    return fail(wanted.empty() ? Errno::kENOSPC : NetErrno::kEADDRINUSE);
  }
  made->type = type;
  made->socket = this;
  ipc_.unix_names.insert(*made);
  own_name_ = made;
  name = made;
  return {};
}

Status UnixSocket::bind_file(std::string_view wanted, std::shared_ptr<const void> inode) {
  FL_TRY_ASSIGN(const std::shared_ptr<UnixName> made, make_shared_object(ipc_.unix_name));
  std::copy(wanted.begin(), wanted.end(), made->bytes.begin());
  made->length = static_cast<uint8_t>(wanted.size());
  made->type = type;
  made->inode = std::move(inode);
  made->socket = this;
  ipc_.unix_names.insert(*made);
  own_name_ = made;
  name = made;
  return {};
}

Status UnixSocket::listen(int32_t backlog, const PeerCredentials& who) {
  constexpr int32_t kMostBacklog = 4096;  // Linux: sysctl_somaxconn
  if (type == SocketType::kDatagram) {
    return fail(Errno::kEOPNOTSUPP);
  }
  if (name == nullptr || state == State::kConnected) {
    return fail(Errno::kEINVAL);
  }
  const uint32_t more = backlog < 0 || backlog > kMostBacklog ? kMostBacklog : static_cast<uint32_t>(backlog);
  if (more > backlog_) {
    room.wake_all(PollEvent::kOut);
  }
  backlog_ = more;
  state = State::kListening;
  peer_credentials = who;
  return {};
}

bool UnixSocket::queue_full() const {
  return state == State::kListening ? pending_ > backlog_ : queue_.size() > backlog_;
}

Status UnixSocket::connect_stream(UnixSocket& listener, const PeerCredentials& who) {
  if (listener.state != State::kListening || (listener.shut & Shutdown::kReceive) != 0) {
    return fail(NetErrno::kECONNREFUSED);
  }
  if (listener.queue_full()) {
    return fail(Errno::kEAGAIN);
  }
  if (state == State::kConnected) {
    return fail(NetErrno::kEISCONN);
  }
  if (state == State::kListening) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const std::shared_ptr<UnixSocket> made, make_shared_object(ipc_.unix_socket, memory_, ipc_, type));
  pair(*this, *made, who);
  peer_credentials = listener.peer_credentials;
  made->name = listener.name;
  std::shared_ptr<UnixSocket>* last = &listener.first_pending_;
  while (*last != nullptr) {
    last = &(*last)->next_pending_;
  }
  *last = made;
  ++listener.pending_;
  listener.waiting.wake_all(PollEvent::kIn | PollEvent::kReadNormal);
  return {};
}

Status UnixSocket::connect_datagram(const std::shared_ptr<UnixSocket>& other) {
  if (other != nullptr && other->type != type) {
    return fail(NetErrno::kEPROTOTYPE);
  }
  // It takes messages from its own peer only.
  if (other != nullptr && other->peer != nullptr && other->peer.get() != this) {
    return fail(Errno::kEPERM);
  }
  if (peer != nullptr && other != peer) {
    // What the old peer has sent is gone.
    drop_queue();
    room.wake_all(PollEvent::kOut);
  }
  peer = other;
  state = other != nullptr ? State::kConnected : State::kUnconnected;
  return {};
}

Result<std::shared_ptr<UnixSocket>> UnixSocket::accept() {
  if (type == SocketType::kDatagram) {
    return fail(Errno::kEOPNOTSUPP);
  }
  if (state != State::kListening) {
    return fail(Errno::kEINVAL);
  }
  if (first_pending_ == nullptr) {
    return (shut & Shutdown::kReceive) != 0 ? fail(Errno::kEINVAL) : fail(Errno::kEAGAIN);
  }
  std::shared_ptr<UnixSocket> made = std::move(first_pending_);
  first_pending_ = std::move(made->next_pending_);
  --pending_;
  room.wake_all(PollEvent::kOut);
  return made;
}

Status UnixSocket::shutdown(uint32_t how) {
  if (how > 2) {
    return fail(Errno::kEINVAL);
  }
  const uint32_t mode = how + 1;
  shut |= mode;
  if (peer != nullptr && type != SocketType::kDatagram) {
    peer->shut |= ((mode & Shutdown::kReceive) != 0 ? Shutdown::kSend : 0u) |
                  ((mode & Shutdown::kSend) != 0 ? Shutdown::kReceive : 0u);
    peer->waiting.wake_all();
  }
  waiting.wake_all();
  return {};
}

void UnixSocket::release() {
  if (dead) {
    return;
  }
  dead = true;
  if (own_name_ != nullptr) {
    own_name_->unlink();
    own_name_->socket = nullptr;
    own_name_.reset();
  }
  state = State::kUnconnected;
  shut = Shutdown::kBoth;
  if (const std::shared_ptr<UnixSocket> other = std::move(peer); other != nullptr) {
    if (type != SocketType::kDatagram) {
      other->shut = Shutdown::kBoth;
      if (!queue_.empty()) {
        other->error_ = static_cast<uint32_t>(NetErrno::kECONNRESET);
      }
      other->waiting.wake_all();
    }
  }
  // Nobody accepts any more: as if it had been accepted and closed.
  while (first_pending_ != nullptr) {
    const std::shared_ptr<UnixSocket> next = std::move(first_pending_);
    first_pending_ = std::move(next->next_pending_);
    if (next->peer != nullptr) {
      next->peer->error_ = static_cast<uint32_t>(NetErrno::kECONNRESET);
    }
    next->release();
  }
  pending_ = 0;
  drop_queue();
  waiting.wake_all();
  room.wake_all();
  collect_unix_garbage(ipc_);
}

void UnixSocket::free_buffer(SocketBuffer& buffer) {
  if (const std::shared_ptr<UnixSocket> owner = std::move(buffer.owner); owner != nullptr) {
    owner->used_ -= buffer.truesize();
    if (owner->writable()) {
      owner->waiting.wake_all(PollEvent::kOut | PollEvent::kWriteNormal | PollEvent::kWriteBand);
    }
  }
  ipc_.doom(buffer);
}

void UnixSocket::drop_queue() {
  while (!queue_.empty()) {
    SocketBuffer& buffer = queue_.front();
    queue_.pop_front();
    free_buffer(buffer);
  }
}

// Linux: unix_poll, unix_dgram_poll.
uint32_t UnixSocket::poll() const {
  uint32_t events = 0;
  if (error_ != 0) {
    events |= PollEvent::kErr;
  }
  const bool connects = type != SocketType::kDatagram;
  if (shut == Shutdown::kBoth || (connects && state == State::kUnconnected)) {
    events |= PollEvent::kHup;
  }
  constexpr uint32_t kReadHup = 0x2000;
  if ((shut & Shutdown::kReceive) != 0) {
    events |= kReadHup | PollEvent::kIn | PollEvent::kReadNormal;
  }
  if (!queue_.empty() || first_pending_ != nullptr) {
    events |= PollEvent::kIn | PollEvent::kReadNormal;
  }
  const bool peer_full = type == SocketType::kDatagram && peer != nullptr && peer.get() != this &&
                         peer->peer.get() != this && peer->queue_full();
  if (state != State::kListening && writable() && !peer_full) {
    events |= PollEvent::kOut | PollEvent::kWriteNormal | PollEvent::kWriteBand;
  }
  return events;
}

uint32_t UnixSocket::readable_bytes() const {
  uint32_t bytes = 0;
  for (const SocketBuffer& buffer : queue_) {
    bytes += buffer.left();
    if (type == SocketType::kDatagram) {
      break;
    }
  }
  return bytes;
}

}  // namespace fl::guest
