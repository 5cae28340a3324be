// SwapStore: the disk, or file, behind a swap area: pages by number. Implemented by guest/fs/host (files of the host).
// Linux counterparts: swap_info_struct's bdev and swap_file, swap_readpage and swap_writepage (mm/page_io.c).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mmu/base/result.hpp"

namespace fl::vm {

// What "Type" of /proc/swaps says. A file cannot have bad pages.
enum class SwapKind : uint8_t { kFile, kPartition };

// Two stores with the same are the same. Linux: swap_file->f_mapping.
struct SwapStoreId {
  uint64_t device = 0;
  uint64_t inode = 0;
  auto operator<=>(const SwapStoreId&) const = default;
};

class SwapStore {
 public:
  virtual ~SwapStore() = default;
  virtual SwapKind kind() const = 0;
  virtual SwapStoreId id() const = 0;
  // Whole pages that there are now, the header with them. It may shrink while it is in use.
  virtual uint64_t pages() const = 0;
  // Seeking costs time: slots are given out in order, and neighbours on the disk are read ahead. Linux: !bdev_nonrot.
  virtual bool rotational() const = 0;
  // All of page `offset` or an error, usually EIO. What was not all read must not be used. Neither makes the store
  // larger or smaller.
  virtual Status read_page(uint32_t offset, std::span<std::byte, 4096> bytes) = 0;
  virtual Status write_page(uint32_t offset, std::span<const std::byte, 4096> bytes) = 0;
};

}  // namespace fl::vm
