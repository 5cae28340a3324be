// SocketFile: a UnixSocket as an open file. Linux counterpart: struct socket, socket_file_ops (net/socket.c).
#pragma once

#include <memory>

#include "guest/fs/open_file.hpp"
#include "guest/net/unix_socket.hpp"

namespace fl::guest {

class Kernel;

class SocketFile final : public OpenFile {
 public:
  SocketFile(uint32_t flags, std::shared_ptr<LivePath> path, Kernel& kernel, uint64_t inode,
             std::shared_ptr<UnixSocket> socket)
      : OpenFile(flags, std::move(path)), kernel_(kernel), inode_(inode), socket_(std::move(socket)) {}
  ~SocketFile() override { socket_->release(); }

  UnixSocket& socket() { return *socket_; }
  const std::shared_ptr<UnixSocket>& share() const { return socket_; }

  Result<FileStat> stat() override;
  Result<FsStat> statfs() override;
  Status chmod(const Caller& caller, uint32_t mode) override;
  Result<uint32_t> read(IoBuffer& to, uint64_t& at) override;
  Result<uint32_t> write(IoBuffer& from, uint64_t& at) override;
  uint32_t poll() override { return socket_->poll(); }
  WaitQueue* wait_queue() override { return &socket_->waiting; }
  bool wakes_waiters() const override { return true; }
  Result<uint32_t> ioctl(vm::UserAccess& user, uint32_t request, VirtAddr argument) override;

 private:
  Kernel& kernel_;
  uint64_t inode_;
  uint32_t mode_ = 0140777;
  std::shared_ptr<UnixSocket> socket_;
};

// A file for a socket, named "socket:[N]". ENOMEM.
Result<std::shared_ptr<SocketFile>> make_socket_file(Kernel& kernel, std::shared_ptr<UnixSocket> socket,
                                                     uint32_t flags);
// Whom a task is to its peers. Linux: init_peercred, maybe_add_creds.
struct Task;
PeerCredentials peer_credentials(const Task& task);

}  // namespace fl::guest
