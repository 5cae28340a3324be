// HostDirectory: an open directory of the host, listed in the host's order. Linux counterpart: ext4_dir_operations.
//
// Positions (d_off) are entry numbers, not the host's 64-bit hashes, because i386 programs refuse those; the host's
// position behind each entry is kept, so that lseek to any position that was told works.
#pragma once

#include <cstddef>
#include <memory>

#include "guest/fs/host/host_file.hpp"
#include "guest/fs/open_file.hpp"
#include "vm/slab/stl_allocator.hpp"

namespace fl::guest {

class HostDirectory final : public OpenFile {
 public:
  HostDirectory(uint32_t flags, std::shared_ptr<LivePath> path, vm::SlabAllocator& slab, SharedFd fd, Place place)
      : OpenFile(flags, std::move(path)),
        fd_(std::move(fd)),
        place_(place),
        buffer_(vm::SlabStlAllocator<std::byte>(slab)),
        host_offsets_(vm::SlabStlAllocator<int64_t>(slab)) {}

  Result<FileStat> stat() override { return stat_host_fd(fd_->get()); }
  bool is_directory() const override { return true; }
  bool seekable() const override { return true; }
  Result<uint32_t> read(IoBuffer&, uint64_t&) override { return fail(Errno::kEISDIR); }
  Result<uint64_t> seek(int64_t offset, uint32_t whence) override;
  Status list(DirectorySink& sink) override;
  Status sync() override;
  Status chmod(const Caller& caller, uint32_t mode) override;
  Status chown(const Caller& caller, uint32_t uid, uint32_t gid) override;
  Status set_times(const Caller& caller, const TimeChanges& times) override;
  Result<FsStat> statfs() override;

 private:
  Status move_to(uint64_t position);
  Result<bool> fill();

  SharedFd fd_;
  Place place_;
  vm::SlabVector<std::byte> buffer_;  // host entries; those from next_ to end_ are not yet handed out
  size_t next_ = 0, end_ = 0;
  uint64_t buffer_pos_ = 0;               // position of the entry at next_
  vm::SlabVector<int64_t> host_offsets_;  // host position behind entry n
};

}  // namespace fl::guest
