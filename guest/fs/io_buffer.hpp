// IoBuffer: the memory side of a read or write, consumed from front to back. Linux counterpart: struct iov_iter.
//
// A file moves bytes by asking for the next piece of contiguous host memory. For user memory that makes exactly the
// page accessible that is about to be used, so that a page is touched (and its fault counted) only if bytes really go
// there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "mmu/mmu.hpp"
#include "vm/user_access.hpp"

namespace fl::guest {

class IoBuffer {
 public:
  virtual ~IoBuffer() = default;
  // Bytes not yet consumed.
  virtual uint32_t left() const = 0;
  // The next bytes, at least 1 and at most `limit`, as host memory. kWrite: the file will store into them. EFAULT.
  // Valid while the answer lives. Needs left() > 0 and limit > 0.
  virtual Result<vm::KmapSpan> chunk(uint32_t limit, mmu::Access access) = 0;
  // Consumes bytes.
  virtual void advance(uint32_t bytes) = 0;

  // Stores bytes into the buffer (or takes them out) and consumes them; stops at the end or at memory that cannot be
  // had. Returns the number moved.
  uint32_t put(std::span<const std::byte> from);
  uint32_t take(std::span<std::byte> to);
  // Stores zeros.
  uint32_t put_zeros(uint32_t bytes);
};

// A piece of user memory; already checked by access_ok. Linux: struct iovec.
struct UserSegment {
  VirtAddr base;
  uint32_t length = 0;
};

class UserBuffer : public IoBuffer {
 public:
  UserBuffer(vm::UserAccess& user, VirtAddr base, uint32_t length)
      : user_(user), segments_{{base, length}}, left_(length) {}
  UserBuffer(vm::UserAccess& user, std::vector<UserSegment> segments);

  uint32_t left() const override { return left_; }
  Result<vm::KmapSpan> chunk(uint32_t limit, mmu::Access access) override;
  void advance(uint32_t bytes) override;

 private:
  vm::UserAccess& user_;
  std::vector<UserSegment> segments_;
  size_t current_ = 0;
  uint32_t left_;
};

// Memory of the kernel: sendfile, exec.
class KernelBuffer : public IoBuffer {
 public:
  explicit KernelBuffer(std::span<std::byte> bytes) : bytes_(bytes) {}
  uint32_t left() const override { return static_cast<uint32_t>(bytes_.size()); }
  Result<vm::KmapSpan> chunk(uint32_t limit, mmu::Access) override {
    return vm::KmapSpan(bytes_.first(limit < bytes_.size() ? limit : bytes_.size()));
  }
  void advance(uint32_t bytes) override { bytes_ = bytes_.subspan(bytes); }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace fl::guest
