// KernelText: a text of any length in kernel memory, as an open file of /proc keeps it from one read to the next. Linux
// counterpart: seq_file's buffer (kvmalloc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"

namespace fl::vm {
class MemorySystem;
}

namespace fl::guest {

class KernelText {
 public:
  explicit KernelText(vm::MemorySystem& memory) : memory_(memory) {}
  KernelText(const KernelText&) = delete;
  KernelText& operator=(const KernelText&) = delete;
  ~KernelText() { clear(); }

  // ENOMEM: the old text is gone.
  Status assign(std::string_view text);
  void clear();
  uint32_t size() const { return size_; }
  // The bytes from `at` on that lie together; at least one, as `at` is inside.
  std::span<const std::byte> piece(uint32_t at) const;

 private:
  std::span<std::byte> bytes_from(uint32_t at) const;

  vm::MemorySystem& memory_;
  VirtAddr address_;
  uint32_t size_ = 0;
};

}  // namespace fl::guest
