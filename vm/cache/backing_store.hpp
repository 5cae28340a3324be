// Where the pages of a page-cache mapping come from and go to. Implemented by guest/fs (host files).
// Linux counterpart: struct address_space_operations (readahead, writepage) with inode->i_size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "mmu/base/result.hpp"

namespace fl::vm {

class BackingStore {
 public:
  virtual ~BackingStore() = default;
  // Size in bytes now. Linux: i_size_read.
  virtual uint64_t size() const = 0;
  // The file's number, to name it; 0: it has none. Linux: i_ino.
  virtual uint64_t inode() const { return 0; }
  // Fills `pages` (each 4096 bytes), which stand one after the other from page `first` of the file. Bytes past the end
  // of the file are zeroed. An error fills nothing that may be used.
  virtual Status read_pages(uint64_t first, std::span<std::byte* const> pages) = 0;
  // Writes page `index` back, no further than the end of the file.
  virtual Status write_page(uint64_t index, std::span<const std::byte, 4096> bytes) = 0;
};

}  // namespace fl::vm
