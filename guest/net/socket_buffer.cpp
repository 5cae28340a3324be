// The bytes of a SocketBuffer. See socket_buffer.hpp.
#include "guest/net/socket_buffer.hpp"

#include <algorithm>
#include <bit>
#include <new>
#include <span>

#include "guest/fs/open_file.hpp"
#include "vm/kernel_space/kmap_local.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kHeadObject = 256;  // Linux: SKB_DATA_ALIGN(sizeof(struct sk_buff))
constexpr uint32_t kAlign = 64;

uint32_t align(uint32_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

// What kmalloc gives for the head. Linux: ksize in __alloc_skb.
uint32_t head_bytes(uint32_t length) { return std::bit_ceil(align(length) + SocketBuffer::kOverhead); }

}  // namespace

SocketBuffer::SocketBuffer(vm::MemorySystem& memory, uint32_t head, uint32_t paged)
    : memory_(memory), head_length_(head), truesize_(kHeadObject + head_bytes(head) + page_align_up(paged)) {
  length_ = head + paged;
  if (head_length_ > 0) {
    head_ = static_cast<std::byte*>(memory_.slab().kmalloc(head_length_, vm::kGfpKernel));
    if (head_ == nullptr) {
      throw std::bad_alloc();
    }
  }
}

SocketBuffer::~SocketBuffer() {
  for (uint32_t i = 0; i < page_count_; ++i) {
    memory_.pages().free_pages(pages_[i]);
  }
  memory_.slab().kfree(head_);
}

Status SocketBuffer::fill(IoBuffer& source) {
  for (uint32_t paged = length_ - head_length_; paged > page_count_ * kPageSize;) {
    FL_TRY_ASSIGN(pages_[page_count_], memory_.pages().alloc_pages(vm::kGfpHighUser));
    ++page_count_;
  }
  if (source.take(std::span(head_, head_length_)) < head_length_) {
    return fail(Errno::kEFAULT);
  }
  uint32_t left = length_ - head_length_;
  for (uint32_t i = 0; i < page_count_; ++i) {
    const uint32_t wanted = std::min<uint32_t>(left, kPageSize);
    const vm::KmapLocal map(memory_.kmap_slots(), pages_[i]);
    if (source.take(std::span(map.data(), wanted)) < wanted) {
      return fail(Errno::kEFAULT);
    }
    left -= wanted;
  }
  return {};
}

uint32_t SocketBuffer::copy(uint32_t offset, IoBuffer& to) const {
  uint32_t done = 0;
  if (offset < head_length_) {
    const uint32_t wanted = std::min(head_length_ - offset, to.left());
    done = to.put(std::span<const std::byte>(head_ + offset, wanted));
    if (done < wanted) {
      return done;
    }
  }
  while (to.left() > 0 && offset + done < length_) {
    const uint32_t at = offset + done - head_length_;
    const uint32_t in_page = at & kPageOffsetMask;
    const uint32_t wanted = std::min({static_cast<uint32_t>(kPageSize) - in_page, length_ - offset - done, to.left()});
    const vm::KmapLocal map(memory_.kmap_slots(), pages_[at >> kPageShift]);
    const uint32_t moved = to.put(std::span<const std::byte>(map.data() + in_page, wanted));
    done += moved;
    if (moved < wanted) {
      break;
    }
  }
  return done;
}

}  // namespace fl::guest
