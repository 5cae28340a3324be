// HostFile: an open regular file of the host, read through the page cache. Linux counterpart: ext4's file_operations
// with generic_file_read_iter.
//
// Writes go to the host at once and into the pages that are cached. Simplified: O_DIRECT is ignored; appending is not
// atomic against other processes of the host.
#pragma once

#include <memory>

#include "guest/fs/host/host_inode.hpp"
#include "guest/fs/open_file.hpp"

namespace fl::vm {
class MemorySystem;
}

namespace fl::guest {

// May the guest change mode, times and content of what stands at the place where the file was opened?
enum class Place : bool { kReadOnly, kWritable };

class HostFile final : public OpenFile {
 public:
  HostFile(uint32_t flags, std::shared_ptr<LivePath> path, vm::MemorySystem& memory, SharedFd fd,
           std::shared_ptr<HostInode> inode, Place place, WriteClaim claim);
  ~HostFile() override;

  Result<FileStat> stat() override;
  bool seekable() const override { return true; }
  Result<uint32_t> read(IoBuffer& to, uint64_t& at) override;
  Result<uint32_t> write(IoBuffer& from, uint64_t& at) override;
  Result<uint64_t> seek(int64_t offset, uint32_t whence) override;
  Status truncate(uint64_t size) override;
  Status allocate(uint32_t mode, uint64_t offset, uint64_t length) override;
  void advise(uint64_t offset, uint64_t length, uint32_t advice) override;
  Status sync() override;
  Status chmod(const Caller& caller, uint32_t mode) override;
  Status chown(const Caller& caller, uint32_t uid, uint32_t gid) override;
  Status set_times(const Caller& caller, const TimeChanges& times) override;
  Result<FsStat> statfs() override;
  WriteCount* write_count() override { return &inode_->writers; }
  Result<uint32_t> ioctl(vm::UserAccess& user, uint32_t request, VirtAddr argument) override;
  Result<std::shared_ptr<const vm::MappedFile>> mapped_file() override;
  bool is_swapfile() const override;
  Result<std::shared_ptr<vm::SwapStore>> swap_store() override;

 private:
  uint64_t known_size(uint64_t wanted_end);

  vm::MemorySystem& memory_;
  SharedFd fd_;
  std::shared_ptr<HostInode> inode_;
  WriteClaim claim_;  // if it may be written
  Place place_;
  bool changed_ = false;
  vm::MappedFile mapped_;
};

}  // namespace fl::guest
