// Sending and receiving through a UnixSocket. Linux counterparts: unix_stream_sendmsg, unix_dgram_sendmsg,
// unix_stream_read_generic, __unix_dgram_recvmsg.
#include <algorithm>

#include "guest/fs/open_file.hpp"
#include "guest/ipc/ipc.hpp"
#include "guest/net/unix_socket.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kStreamPages = 32768;  // Linux: UNIX_SKB_FRAGS_SZ

}  // namespace

Result<uint32_t> UnixSocket::send(IoBuffer& from, Sending& message) {
  if (error_ != 0) {
    return fail(static_cast<Errno>(take_error()));
  }
  return stream() ? send_stream(from, message) : send_datagram(from, message);
}

// A message of `head` + `paged` bytes goes into the queue of `to`.
Status UnixSocket::deliver(UnixSocket& to, IoBuffer& from, uint32_t head, uint32_t paged, Sending& message) {
  FL_TRY_ASSIGN(auto made, ipc_.socket_buffer.make(memory_, head, paged));
  FL_TRY(made->fill(from));
  made->owner = shared_from_this();
  used_ += made->truesize();
  made->from = name;
  made->credentials = message.credentials;
  made->files = std::move(message.files);
  message.files.reset();
  to.queue_.push_back(*made.release());
  to.waiting.wake_all(PollEvent::kIn | PollEvent::kReadNormal | PollEvent::kReadBand);
  return {};
}

Result<uint32_t> UnixSocket::send_stream(IoBuffer& from, Sending& message) {
  if (peer == nullptr) {
    return fail((shut & Shutdown::kSend) != 0 ? Errno::kEPIPE : NetErrno::kENOTCONN);
  }
  uint32_t done = 0;
  while (from.left() > 0) {
    if ((shut & Shutdown::kSend) != 0 || peer->dead || (peer->shut & Shutdown::kReceive) != 0) {
      return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEPIPE);
    }
    if (used_ >= send_buffer) {
      return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEAGAIN);
    }
    // Two messages fit into the buffer; one is no longer than what is had without large pages.
    const uint32_t size = std::min({from.left(), send_buffer / 2 - 64, SocketBuffer::kHeadOnePage + kStreamPages});
    const uint32_t beyond = size > SocketBuffer::kHeadOnePage ? size - SocketBuffer::kHeadOnePage : 0;
    const uint32_t paged = std::min<uint32_t>(size, static_cast<uint32_t>(page_align_up(beyond)));
    if (const Status sent = deliver(*peer, from, size - paged, paged, message); !sent) {
      return done > 0 ? Result<uint32_t>(done) : fail(sent.error());
    }
    done += size;
  }
  return done;
}

Result<uint32_t> UnixSocket::send_datagram(IoBuffer& from, Sending& message) {
  const uint32_t length = from.left();
  UnixSocket* const to = message.to != nullptr ? message.to.get() : peer.get();
  if (to == nullptr) {
    return fail((type == SocketType::kSeqPacket && (shut & Shutdown::kSend) != 0) ? Errno::kEPIPE
                                                                                  : NetErrno::kENOTCONN);
  }
  if (length > send_buffer - 32) {
    return fail(NetErrno::kEMSGSIZE);
  }
  if ((shut & Shutdown::kSend) != 0) {
    return fail(Errno::kEPIPE);
  }
  if (used_ >= send_buffer) {
    return fail(Errno::kEAGAIN);
  }
  if (to->dead) {
    if (message.to == nullptr) {
      peer.reset();
      state = State::kUnconnected;
    }
    return fail(NetErrno::kECONNREFUSED);
  }
  if (to->peer != nullptr && to->peer.get() != this) {
    return fail(Errno::kEPERM);
  }
  if ((to->shut & Shutdown::kReceive) != 0) {
    return fail(Errno::kEPIPE);
  }
  if (to != this && to->peer.get() != this && to->queue_full()) {
    return fail(Errno::kEAGAIN);
  }
  const uint32_t beyond = length > SocketBuffer::kHeadFourPages ? length - SocketBuffer::kHeadFourPages : 0;
  const uint32_t most = std::min<uint32_t>(beyond, SocketBuffer::kMostPages * kPageSize);
  const uint32_t paged = std::min<uint32_t>(length, static_cast<uint32_t>(page_align_up(most)));
  FL_TRY(deliver(*to, from, length - paged, paged, message));
  return length;
}

Result<Received> UnixSocket::receive(IoBuffer& to, uint32_t flags) {
  if (stream()) {
    if (state != State::kConnected) {
      return fail(Errno::kEINVAL);
    }
    return receive_stream(to, flags);
  }
  if (type == SocketType::kSeqPacket && state != State::kConnected) {
    return fail(NetErrno::kENOTCONN);
  }
  return receive_message(to, flags);
}

// What came with a message; files are copied if it stays in the queue. ENOMEM.
Result<Received> UnixSocket::attach(Received received, SocketBuffer& buffer, bool peek) const {
  if (pass_credentials) {
    received.credentials = buffer.credentials;
  }
  if (buffer.files && peek) {
    FL_TRY(vm::with_memory([&] { received.files = *buffer.files; }));
  } else if (buffer.files) {
    received.files = std::move(buffer.files);
    buffer.files.reset();
  }
  return received;
}

Result<Received> UnixSocket::receive_stream(IoBuffer& to, uint32_t flags) {
  const bool peek = (flags & MsgFlag::kPeek) != 0;
  Received received;
  std::optional<PeerCredentials> writer;
  for (auto at = queue_.begin(); at != queue_.end() && to.left() > 0;) {
    SocketBuffer& buffer = *at;
    ++at;
    // Bytes of two writers are not put together, nor files of two messages.
    if (writer && pass_credentials && buffer.credentials != *writer) {
      break;
    }
    if (!writer) {
      writer = buffer.credentials;
      received.from = buffer.from;
    }
    if (received.files && buffer.files) {
      break;
    }
    const uint32_t wanted = std::min(to.left(), buffer.left());
    const uint32_t moved = buffer.copy(buffer.consumed, to);
    if (moved == 0 && wanted > 0) {
      return received.bytes > 0 ? Result<Received>(std::move(received)) : fail(Errno::kEFAULT);
    }
    received.bytes += moved;
    const bool had_files = buffer.files.has_value();
    if (had_files || pass_credentials) {
      FL_TRY_ASSIGN(received, attach(std::move(received), buffer, peek));
    }
    if (!peek) {
      buffer.consumed += moved;
      if (buffer.left() == 0) {
        queue_.pop_front();
        free_buffer(buffer);
      }
    }
    if (moved < wanted || had_files) {
      break;
    }
  }
  received.full = received.bytes;
  if (received.bytes > 0 || !queue_.empty()) {
    return received;
  }
  if (error_ != 0) {
    return fail(static_cast<Errno>(take_error()));
  }
  return (shut & Shutdown::kReceive) != 0 ? Result<Received>(std::move(received)) : fail(Errno::kEAGAIN);
}

Result<Received> UnixSocket::receive_message(IoBuffer& to, uint32_t flags) {
  if (error_ != 0) {
    return fail(static_cast<Errno>(take_error()));
  }
  if (queue_.empty()) {
    return (shut & Shutdown::kReceive) != 0 ? Result<Received>(Received{}) : fail(Errno::kEAGAIN);
  }
  SocketBuffer& buffer = queue_.front();
  const bool peek = (flags & MsgFlag::kPeek) != 0;
  const uint32_t wanted = std::min(to.left(), buffer.length());
  Received received;
  received.full = buffer.length();
  received.truncated = wanted < buffer.length();
  received.from = buffer.from;
  // A message that cannot be stored is lost, as on Linux.
  received.bytes = buffer.copy(0, to);
  const bool bad = received.bytes < wanted;
  auto result = bad ? Result<Received>(fail(Errno::kEFAULT)) : attach(std::move(received), buffer, peek);
  if (!peek) {
    const bool was_full = queue_full();
    queue_.pop_front();
    free_buffer(buffer);
    constexpr uint32_t kRoom = PollEvent::kOut | PollEvent::kWriteNormal | PollEvent::kWriteBand;
    room.wake_all(kRoom);
    // Those that are connected to it wait in their own queues too. Linux: unix_dgram_peer_wake_relay.
    for (UnixSocket& other : ipc_.unix_sockets) {
      if (was_full && other.peer.get() == this) {
        other.waiting.wake_all(kRoom);
      }
    }
  }
  return result;
}

}  // namespace fl::guest
