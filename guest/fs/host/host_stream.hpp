// HostStream: a descriptor of our own process (0, 1, 2 as a rule), given to the guest: a terminal, pipe, socket, device
// or file. Linux counterpart: the files that a program inherits.
//
// Bytes pass through a buffer of ours, because a host read must not be repeated if the guest's memory turns out to be
// bad: what could not be stored is kept and read first the next time. The only task waits in the host, in slices, so
// that a request to stop the machine is heard; if others can run or a timer is armed, it sleeps on the HostPoller. The
// guest's O_NONBLOCK does not change the host's description, which others share.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "guest/fs/host/host_inode.hpp"
#include "guest/fs/host/host_poller.hpp"
#include "guest/fs/open_file.hpp"

namespace fl::vm {
class MemorySystem;
}

namespace fl::guest {

// Whether a wait in the host must end because the machine shall stop.
using StopRequested = std::function<bool()>;

class HostStream final : public OpenFile {
 public:
  // `fd` is borrowed (VfsOptions::standard_files). EBADF if it is not open; ENOMEM.
  static Result<std::shared_ptr<HostStream>> adopt(int fd, vm::MemorySystem& memory, HostInodeTable& inodes,
                                                   std::shared_ptr<LivePath> path, StopRequested stop,
                                                   HostPoller& poller);

  Result<FileStat> stat() override { return stat_host_fd(fd_); }
  bool seekable() const override { return seekable_; }
  // EINTR: the machine is asked to stop.
  Result<uint32_t> read(IoBuffer& to, uint64_t& at) override;
  Result<uint32_t> write(IoBuffer& from, uint64_t& at) override;
  Result<uint64_t> seek(int64_t offset, uint32_t whence) override;
  Status truncate(uint64_t size) override;
  Status sync() override;
  Result<FsStat> statfs() override;
  Result<uint32_t> ioctl(vm::UserAccess& user, uint32_t request, VirtAddr argument) override;
  uint32_t poll() override;
  int host_poll_fd() const override { return fd_; }
  WaitQueue* wait_queue() override { return regular_ ? nullptr : &source_.waiting; }
  Result<std::shared_ptr<const vm::MappedFile>> mapped_file() override;

  // For adopt.
  HostStream(int fd, uint32_t flags, std::shared_ptr<LivePath> path, vm::MemorySystem& memory, HostInodeTable& inodes,
             const FileStat& stat, StopRequested stop, HostPoller& poller);

 private:
  Status wait_for(short events);
  Result<uint32_t> host_read(std::span<std::byte> to, const uint64_t* at) const;
  Result<uint32_t> host_write(std::span<const std::byte> from, const uint64_t* at) const;
  void note_written(uint64_t end, std::span<const std::byte> bytes);

  int fd_;
  vm::MemorySystem& memory_;
  HostInodeTable& inodes_;
  bool regular_;
  bool seekable_;
  HostInodeKey identity_;
  StopRequested stop_;
  HostPoller& poller_;
  HostPoller::Source source_;
  std::vector<std::byte> unread_;  // on the host's heap: there are three streams at most
  bool broken_ = false;            // the reader of the pipe has gone
  std::shared_ptr<HostInode> inode_;
  vm::MappedFile mapped_;
};

}  // namespace fl::guest
