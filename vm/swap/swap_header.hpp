// The first page of a swap area, as mkswap(8) writes it. Linux counterparts: union swap_header
// (include/linux/swap.h), read_swap_header and setup_swap_map_and_extents (mm/swapfile.c).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "vm/swap/swap_store.hpp"

namespace fl::vm {

// What the header says, checked.
struct SwapLayout {
  uint32_t max = 0;           // pages that are used, the header with them. Linux: maxpages
  std::vector<uint32_t> bad;  // pages of these that are not to be used: ascending, each once, neither 0 nor >= max
  bool truncated = false;     // the area is larger, but page-table entries reach no further
  uint32_t usable() const { return max - 1 - static_cast<uint32_t>(bad.size()); }
};

// Reads a header of either byte order; `store_pages` are those that there are. The error is what is wrong, in a few
// words, for the user; to a guest it is EINVAL.
tl::expected<SwapLayout, std::string_view> parse_swap_header(std::span<const std::byte, 4096> header,
                                                             uint64_t store_pages, SwapKind kind);
// The same with the store's first page; one that cannot be read is an error too.
tl::expected<SwapLayout, std::string_view> read_swap_header(SwapStore& store);

// What mkswap writes: an area of `pages` pages (at least 2), the header with them.
void make_swap_header(std::span<std::byte, 4096> header, uint32_t pages);

}  // namespace fl::vm
