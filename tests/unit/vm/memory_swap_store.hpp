// A swap disk in host memory whose errors can be planted.
#pragma once

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "vm/swap/swap_header.hpp"
#include "vm/swap/swap_store.hpp"

namespace fl::vm::test {

class MemorySwapStore final : public SwapStore {
 public:
  // An area as mkswap makes it; two with the same number are the same.
  explicit MemorySwapStore(uint32_t pages, uint64_t number = 1) : bytes(size_t{pages} * 4096), number_(number) {
    make_swap_header(page(0), pages);
  }
  SwapKind kind() const override { return of_kind; }
  SwapStoreId id() const override { return {.device = 0, .inode = number_}; }
  uint64_t pages() const override { return bytes.size() / 4096; }
  bool rotational() const override { return rotates; }
  Status read_page(uint32_t offset, std::span<std::byte, 4096> to) override {
    ++reads;
    if (offset >= pages() || bad_reads.contains(offset)) {
      return fail(Errno::kEIO);
    }
    std::copy_n(page(offset).begin(), 4096, to.begin());
    return {};
  }
  Status write_page(uint32_t offset, std::span<const std::byte, 4096> from) override {
    ++writes;
    if (offset >= pages() || bad_writes.contains(offset)) {
      return fail(Errno::kEIO);
    }
    std::copy_n(from.begin(), 4096, page(offset).begin());
    return {};
  }
  std::span<std::byte, 4096> page(uint32_t offset) {
    return std::span<std::byte, 4096>(bytes.data() + size_t{offset} * 4096, 4096);
  }

  std::vector<std::byte> bytes;
  std::set<uint32_t> bad_reads, bad_writes;
  uint32_t reads = 0, writes = 0;
  SwapKind of_kind = SwapKind::kPartition;
  bool rotates = true;

 private:
  uint64_t number_;
};

}  // namespace fl::vm::test
