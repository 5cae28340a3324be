// SocketBuffer: one message, or a piece of a stream, on its way between two sockets. Linux counterpart: struct sk_buff,
// alloc_skb_with_frags, struct unix_skb_parms.
//
// Its bytes are simulated memory: the first in kmalloc memory, those of a long one in pages. What it costs its sender
// (truesize) is counted as on Linux, so that as much fits between two sockets as there.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "guest/fs/io_buffer.hpp"
#include "vm/memory_system.hpp"
#include "vm/slab/stl_allocator.hpp"

namespace fl::guest {

class OpenFile;
class UnixSocket;
struct UnixName;

struct PeerCredentials {
  uint32_t pid = 0, uid = ~0u, gid = ~0u;
  bool operator==(const PeerCredentials&) const = default;
};

// Open files on their way to another process. Linux: struct scm_fp_list.
using PassedFiles = vm::SlabVector<std::shared_ptr<OpenFile>>;

// In the cache "skbuff_head_cache".
class SocketBuffer : public boost::intrusive::list_base_hook<> {
 public:
  // `head` bytes in one piece and `paged` in pages: at most 17. Linux: sock_alloc_send_pskb's header_len and data_len.
  SocketBuffer(vm::MemorySystem& memory, uint32_t head, uint32_t paged);
  ~SocketBuffer();
  SocketBuffer(const SocketBuffer&) = delete;
  SocketBuffer& operator=(const SocketBuffer&) = delete;

  static constexpr uint32_t kMostPages = 17;  // Linux: MAX_SKB_FRAGS
  static constexpr uint32_t kOverhead = 320;  // Linux: SKB_DATA_ALIGN(sizeof(struct skb_shared_info))
  static constexpr uint32_t kHeadOnePage = kPageSize - kOverhead;        // Linux: SKB_MAX_HEAD(0)
  static constexpr uint32_t kHeadFourPages = 4 * kPageSize - kOverhead;  // Linux: SKB_MAX_ALLOC

  // Takes all of its length from `from`: EFAULT, ENOMEM.
  Status fill(IoBuffer& from);
  // Gives bytes from `offset` on; how many went.
  uint32_t copy(uint32_t offset, IoBuffer& to) const;

  uint32_t length() const { return length_; }
  uint32_t left() const { return length_ - consumed; }
  uint32_t truesize() const { return truesize_; }

  uint32_t consumed = 0;                 // of a stream
  std::shared_ptr<UnixSocket> owner;     // whose send buffer it fills
  std::shared_ptr<const UnixName> from;  // the sender's name
  PeerCredentials credentials;
  std::optional<PassedFiles> files;

 private:
  vm::MemorySystem& memory_;
  uint32_t head_length_, length_ = 0, truesize_;
  std::byte* head_ = nullptr;
  std::array<Pfn, kMostPages> pages_{};
  uint32_t page_count_ = 0;
};

}  // namespace fl::guest
