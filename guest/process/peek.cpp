// peek: see peek.hpp.
#include "guest/process/peek.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "mmu/layout.hpp"
#include "vm/memory_system.hpp"

namespace fl::guest {

size_t peek(vm::AddressSpace& mm, VirtAddr from, std::span<std::byte> to) {
  size_t done = 0;
  while (done < to.size()) {
    const VirtAddr at = from + static_cast<uint32_t>(done);
    if (at < from || mmu::is_kernel_address(at)) {
      break;
    }
    const mmu::Pte* pte = mm.tables().find(at);
    if (pte == nullptr || !pte->hw_present()) {
      break;
    }
    const size_t bytes = std::min<size_t>(kPageSize - at.page_offset(), to.size() - done);
    const vm::KmapLocal page(mm.memory().kmap_slots(), pte->pfn());
    std::memcpy(to.data() + done, page.data() + at.page_offset(), bytes);
    done += bytes;
  }
  return done;
}

PeekedString peek_string(vm::AddressSpace& mm, VirtAddr from, size_t max) {
  PeekedString result;
  std::array<std::byte, 64> piece;
  while (result.text.size() < max) {
    const size_t wanted = std::min(piece.size(), max - result.text.size());
    const size_t got = peek(mm, from + static_cast<uint32_t>(result.text.size()), std::span(piece).first(wanted));
    const auto* text = reinterpret_cast<const char*>(piece.data());
    const size_t length = strnlen(text, got);
    result.text.append(text, length);
    if (length < got) {
      result.complete = true;
      break;
    }
    if (got < wanted) {
      break;
    }
  }
  return result;
}

}  // namespace fl::guest
