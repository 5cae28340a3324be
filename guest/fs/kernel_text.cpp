// Storing a text in kmalloc or vmalloc memory, and reaching it page by page.
#include "guest/fs/kernel_text.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "vm/memory_system.hpp"

namespace fl::guest {

void KernelText::clear() {
  memory_.vmalloc().kvfree(address_);
  address_ = VirtAddr();
  size_ = 0;
}

Status KernelText::assign(std::string_view text) {
  clear();
  if (text.empty()) {
    return {};
  }
  if (text.size() > std::numeric_limits<int32_t>::max()) {
    return fail(Errno::kENOMEM);
  }
  FL_TRY_ASSIGN(address_, memory_.vmalloc().kvmalloc(static_cast<uint32_t>(text.size()), "seq_buf_alloc"));
  size_ = static_cast<uint32_t>(text.size());
  for (uint32_t at = 0; at < size_;) {
    const std::span<std::byte> to = bytes_from(at);
    std::memcpy(to.data(), text.data() + at, to.size());
    at += static_cast<uint32_t>(to.size());
  }
  return {};
}

std::span<const std::byte> KernelText::piece(uint32_t at) const { return bytes_from(at); }

std::span<std::byte> KernelText::bytes_from(uint32_t at) const {
  const VirtAddr from = address_ + at;
  vm::KernelSpace& space = memory_.kernel_space();
  if (!space.is_vmalloc_addr(from)) {
    return {memory_.kernel_pointer<std::byte>(from), size_ - at};
  }
  const uint32_t in_page = from.value() & kPageOffsetMask;
  return {space.pointer(from), std::min(size_ - at, kPageSize - in_page)};
}

}  // namespace fl::guest
