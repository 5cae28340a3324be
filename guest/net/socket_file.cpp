// What a socket answers as a file. See socket_file.hpp.
#include "guest/net/socket_file.hpp"

#include <fmt/format.h>

#include "guest/fs/fs_caches.hpp"
#include "guest/fs/ioctl.hpp"
#include "guest/fs/synthetic.hpp"
#include "guest/fs/vfs.hpp"
#include "guest/kernel.hpp"

namespace fl::guest {
namespace {

constexpr DeviceNumber kSocketDevice{0, 8};
constexpr uint64_t kSocketMagic = 0x534f434b;

}  // namespace

Result<FileStat> SocketFile::stat() { return synthetic_stat(kSocketDevice, inode_, mode_, {}); }
Result<FsStat> SocketFile::statfs() { return synthetic_statfs(kSocketMagic); }

Status SocketFile::chmod(const Caller&, uint32_t mode) {
  mode_ = FileMode::kSocket | (mode & FileMode::kPermissions);
  return {};
}

// recv without flags; files that come with the bytes are dropped, as on Linux.
Result<uint32_t> SocketFile::read(IoBuffer& to, uint64_t&) {
  if (to.left() == 0) {
    return 0;
  }
  FL_TRY_ASSIGN(const Received received, socket_->receive(to, 0));
  return received.bytes;
}

Result<uint32_t> SocketFile::write(IoBuffer& from, uint64_t&) {
  Sending message;
  message.credentials = peer_credentials(*kernel_.current());
  return socket_->send(from, message);
}

Result<uint32_t> SocketFile::ioctl(vm::UserAccess& user, uint32_t request, VirtAddr argument) {
  if (request != Ioctl::kFionread) {
    return fail(Errno::kENOTTY);
  }
  if (socket_->state == UnixSocket::State::kListening) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY(user.put(argument, socket_->readable_bytes()));
  return 0;
}

Result<std::shared_ptr<SocketFile>> make_socket_file(Kernel& kernel, std::shared_ptr<UnixSocket> socket,
                                                     uint32_t flags) {
  const uint64_t inode = kernel.vfs().next_anonymous_inode();
  FL_TRY_ASSIGN(auto path, kernel.vfs().make_path(fmt::format("socket:[{}]", inode)));
  return make_file<SocketFile>(kernel.memory(), OpenFlag::kReadWrite | (flags & OpenFlag::kNonBlock), std::move(path),
                               kernel, inode, std::move(socket));
}

PeerCredentials peer_credentials(const Task& task) { return {task.tgid, task.cred.euid, task.cred.egid}; }

}  // namespace fl::guest
