// Moving bytes between kernel memory and an IoBuffer, piece by piece. Linux counterpart: lib/iov_iter.c.
#include "guest/fs/io_buffer.hpp"

#include <algorithm>
#include <cstring>

#include "mmu/base/check.hpp"

namespace fl::guest {

uint32_t IoBuffer::put(std::span<const std::byte> from) {
  uint32_t done = 0;
  while (done < from.size() && left() > 0) {
    const auto piece = chunk(static_cast<uint32_t>(from.size() - done), mmu::Access::kWrite);
    if (!piece) {
      break;
    }
    std::memcpy(piece->data(), from.data() + done, piece->size());
    done += static_cast<uint32_t>(piece->size());
    advance(static_cast<uint32_t>(piece->size()));
  }
  return done;
}

uint32_t IoBuffer::take(std::span<std::byte> to) {
  uint32_t done = 0;
  while (done < to.size() && left() > 0) {
    const auto piece = chunk(static_cast<uint32_t>(to.size() - done), mmu::Access::kRead);
    if (!piece) {
      break;
    }
    std::memcpy(to.data() + done, piece->data(), piece->size());
    done += static_cast<uint32_t>(piece->size());
    advance(static_cast<uint32_t>(piece->size()));
  }
  return done;
}

uint32_t IoBuffer::put_zeros(uint32_t bytes) {
  uint32_t done = 0;
  while (done < bytes && left() > 0) {
    const auto piece = chunk(bytes - done, mmu::Access::kWrite);
    if (!piece) {
      break;
    }
    std::memset(piece->data(), 0, piece->size());
    done += static_cast<uint32_t>(piece->size());
    advance(static_cast<uint32_t>(piece->size()));
  }
  return done;
}

UserBuffer::UserBuffer(vm::UserAccess& user, std::vector<UserSegment> segments)
    : user_(user), segments_(std::move(segments)), left_(0) {
  for (const UserSegment& segment : segments_) {
    left_ += segment.length;
  }
}

Result<vm::KmapSpan> UserBuffer::chunk(uint32_t limit, mmu::Access access) {
  FL_CHECK(left_ > 0 && limit > 0);
  while (segments_[current_].length == 0) {
    ++current_;
  }
  const UserSegment& segment = segments_[current_];
  return user_.chunk(segment.base, std::min(segment.length, limit), access);
}

void UserBuffer::advance(uint32_t bytes) {
  FL_CHECK(bytes <= left_);
  left_ -= bytes;
  while (bytes > 0) {
    UserSegment& segment = segments_[current_];
    const uint32_t step = std::min(bytes, segment.length);
    segment.base += step;
    segment.length -= step;
    bytes -= step;
    if (segment.length == 0) {
      ++current_;
    }
  }
}

}  // namespace fl::guest
