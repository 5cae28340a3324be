// Reading and making headers.
#include "vm/swap/swap_header.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "mmu/base/check.hpp"
#include "vm/swap/swap_entry.hpp"

namespace fl::vm {
namespace {

// Where in the header what stands.
constexpr size_t kVersionAt = 1024, kLastPageAt = 1028, kNrBadPagesAt = 1032, kBadPagesAt = 1536, kMagicAt = 4086;
constexpr std::string_view kMagic = "SWAPSPACE2";
// Linux: MAX_SWAP_BADPAGES.
constexpr uint32_t kMaxBadPages = (kMagicAt - kBadPagesAt) / sizeof(uint32_t);

constexpr uint32_t swab32(uint32_t word) { return __builtin_bswap32(word); }

}  // namespace

tl::expected<SwapLayout, std::string_view> parse_swap_header(std::span<const std::byte, 4096> header,
                                                             uint64_t store_pages, SwapKind kind) {
  const auto wrong = [](std::string_view what) { return tl::unexpected<std::string_view>(what); };
  if (std::memcmp(header.data() + kMagicAt, kMagic.data(), kMagic.size()) != 0) {
    return wrong("no swap signature: make one with mkswap(8)");
  }
  const auto raw_word = [&](size_t at) {
    uint32_t word = 0;
    std::memcpy(&word, header.data() + at, sizeof word);
    return word;
  };
  const bool swapped = swab32(raw_word(kVersionAt)) == 1;
  const auto word = [&](size_t at) { return swapped ? swab32(raw_word(at)) : raw_word(at); };
  if (word(kVersionAt) != 1) {
    return wrong("swap header of an unknown version");
  }
  const uint32_t last_page = word(kLastPageAt);
  if (last_page == 0) {
    return wrong("empty swap area");
  }
  SwapLayout layout;
  layout.truncated = last_page > kMaxSwapFilePages;
  layout.max = last_page < kMaxSwapFilePages ? last_page + 1 : kMaxSwapFilePages;
  if (layout.max > store_pages) {
    return wrong("swap area shorter than its header says");
  }
  const uint32_t bad_pages = word(kNrBadPagesAt);
  if (bad_pages != 0 && kind == SwapKind::kFile) {
    return wrong("swap file with bad pages");
  }
  if (bad_pages > kMaxBadPages) {
    return wrong("swap header with too many bad pages");
  }
  for (uint32_t i = 0; i < bad_pages; ++i) {
    const uint32_t page = word(kBadPagesAt + i * sizeof(uint32_t));
    if (page == 0 || page > last_page) {
      return wrong("swap header with a bad page outside the area");
    }
    if (page < layout.max) {
      layout.bad.push_back(page);
    }
  }
  std::sort(layout.bad.begin(), layout.bad.end());
  layout.bad.erase(std::unique(layout.bad.begin(), layout.bad.end()), layout.bad.end());
  if (layout.usable() == 0) {
    return wrong("empty swap area");
  }
  return layout;
}

tl::expected<SwapLayout, std::string_view> read_swap_header(SwapStore& store) {
  std::array<std::byte, 4096> header;
  if (!store.read_page(0, header)) {
    return tl::unexpected<std::string_view>("no swap header can be read");
  }
  return parse_swap_header(header, store.pages(), store.kind());
}

void make_swap_header(std::span<std::byte, 4096> header, uint32_t pages) {
  FL_CHECK(pages >= 2, "a swap area of {} pages", pages);
  std::memset(header.data(), 0, header.size());
  const auto put = [&](size_t at, uint32_t word) { std::memcpy(header.data() + at, &word, sizeof word); };
  put(kVersionAt, 1);
  put(kLastPageAt, pages - 1);
  std::memcpy(header.data() + kMagicAt, kMagic.data(), kMagic.size());
}

}  // namespace fl::vm
