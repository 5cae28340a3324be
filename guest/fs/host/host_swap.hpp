// HostSwapStore: a swap area in a file of the host; and the files that the command line asks for: an unlinked temporary
// one, and one that mkswap(8) has made. Linux counterpart: a swap file's blocks, which are read and written past the
// page cache.
//
// Nothing outside the size that the file has is ever written: a file that somebody shortens gives EIO there. Holes are
// allowed and stay until they are written.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "guest/fs/host/host_inode.hpp"
#include "guest/fs/swap_device.hpp"
#include "vm/swap/swap_store.hpp"

namespace fl::guest {

class HostSwapStore final : public vm::SwapStore {
 public:
  // `fd`: a regular file, open for reading and writing.
  HostSwapStore(SharedFd fd, vm::SwapKind kind, const HostInodeKey& key) : fd_(std::move(fd)), kind_(kind), key_(key) {}

  vm::SwapKind kind() const override { return kind_; }
  vm::SwapStoreId id() const override { return {key_.device, key_.number}; }
  uint64_t pages() const override;
  // As the disk of a virtual machine says of itself.
  bool rotational() const override { return true; }
  Status read_page(uint32_t offset, std::span<std::byte, 4096> bytes) override;
  Status write_page(uint32_t offset, std::span<const std::byte, 4096> bytes) override;

 private:
  bool holds(uint32_t offset) const { return offset < pages(); }

  SharedFd fd_;
  vm::SwapKind kind_;
  HostInodeKey key_;
};

// Their errors are for the user: what is wrong, in a few words.

// A temporary file below $TMPDIR, or /tmp, without a name, of `bytes` bytes (whole pages) without blocks, with the
// header of a swap area. A partition to the guest. Nothing is left of it when the run has ended, however it ended.
tl::expected<std::shared_ptr<vm::SwapStore>, std::string> make_swap_file(uint64_t bytes);
// A file of the user's, which nobody else may use as such meanwhile. Its name is canonical.
tl::expected<SwapDevice, std::string> open_swap_file(const std::string& path);

}  // namespace fl::guest
