// Looking things up, opening them and changing the tree, each below a descriptor that HostRoot gives.
#include "guest/fs/host/host_fs.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdio>

#include "guest/fs/fs_caches.hpp"
#include "guest/fs/host/host_call.hpp"
#include "guest/fs/host/host_directory.hpp"
#include "guest/fs/host/host_fifo.hpp"
#include "vm/memory_system.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::guest {
namespace {

// A file that stands for a place only: open(O_PATH).
class PathFile final : public OpenFile {
 public:
  PathFile(uint32_t flags, std::shared_ptr<LivePath> path, UniqueFd fd, bool is_directory)
      : OpenFile(flags, std::move(path)), fd_(std::move(fd)), is_directory_(is_directory) {}
  Result<FileStat> stat() override { return stat_host_fd(fd_.get()); }
  bool is_directory() const override { return is_directory_; }
  Result<FsStat> statfs() override { return statfs_host_fd(fd_.get()); }

 private:
  UniqueFd fd_;
  bool is_directory_;
};

}  // namespace

Result<FileStat> HostFs::lstat(const Caller&, const std::string& path) {
  FL_TRY_ASSIGN(const HostRoot::Node node, root_->find(path));
  return node.stat;
}

Result<LinkTarget> HostFs::readlink(const Caller&, const std::string& path) {
  FL_TRY_ASSIGN(const HostRoot::Node node, root_->find(path));
  if (!node.stat.is_symlink()) {
    return fail(Errno::kEINVAL);
  }
  std::array<char, PATH_MAX> text;
  const ssize_t length = ::readlinkat(node.fd.get(), "", text.data(), text.size());
  FL_TRY(host_status(length));
  return LinkTarget{std::string(text.data(), static_cast<size_t>(length)), false};
}

// A file opened for writing is opened for reading too where the host allows it: its pages may have to be read.
Result<HostRoot::Node> HostFs::open_existing(const std::string& path, uint32_t flags, bool& read_write) {
  const int host_flags =
      static_cast<int>(flags & (OpenFlag::kDirectory | OpenFlag::kNoAtime | (OpenFlag::kSync | OpenFlag::kDsync)));
  const uint32_t mode = flags & OpenFlag::kAccessMode;
  const bool for_writing = mode != OpenFlag::kReadOnly || (flags & OpenFlag::kTruncate) != 0;
  read_write = for_writing;
  if (!for_writing) {
    return root_->open_file(path, host_flags | O_RDONLY);
  }
  auto node = root_->open_file(path, host_flags | O_RDWR);
  if (!node && node.error() == Errno::kEACCES && mode == OpenFlag::kWriteOnly) {
    read_write = false;
    node = root_->open_file(path, host_flags | O_WRONLY);
  }
  return node;
}

Result<std::shared_ptr<OpenFile>> HostFs::open(const Caller& caller, const std::string& path,
                                               const OpenRequest& request) {
  const uint32_t flags = request.flags;
  const uint32_t status = flags & ~uint32_t{OpenFlag::kCreate | OpenFlag::kExclusive | OpenFlag::kNoCtty |
                                            OpenFlag::kTruncate | OpenFlag::kCloseOnExec};
  if ((flags & OpenFlag::kPath) != 0) {
    FL_TRY_ASSIGN(HostRoot::Node node, root_->find(path));
    if (node.stat.is_symlink() && (flags & OpenFlag::kNoFollow) == 0) {
      return fail(Errno::kELOOP);
    }
    if ((flags & OpenFlag::kDirectory) != 0 && !node.stat.is_directory()) {
      return fail(Errno::kENOTDIR);
    }
    return make_file<PathFile>(memory_, status, request.path, std::move(node.fd), node.stat.is_directory());
  }

  bool read_write = false;
  bool created = false;
  auto node = open_existing(path, flags, read_write);
  // Once more each way if somebody makes or removes the file in between.
  for (int round = 0; round < 2 && !node && node.error() == Errno::kENOENT && (flags & OpenFlag::kCreate) != 0;
       ++round) {
    node = root_->create_file(path, static_cast<int>(flags & OpenFlag::kSync), request.mode);
    created = read_write = node.has_value();
    if (!node && node.error() == Errno::kEEXIST && (flags & OpenFlag::kExclusive) == 0) {
      node = open_existing(path, flags, read_write);
    }
  }
  if (!created && (flags & OpenFlag::kCreate) != 0) {
    const bool exists = node.has_value() || node.error() == Errno::kELOOP || node.error() == Errno::kEROFS ||
                        node.error() == Errno::kEISDIR || node.error() == Errno::kEACCES;
    if ((flags & OpenFlag::kExclusive) != 0 && exists && root_->find(path)) {
      return fail(Errno::kEEXIST);
    }
    if (node && node->stat.is_directory()) {
      return fail(Errno::kEISDIR);
    }
  }
  if (!node && node.error() == Errno::kEACCES) {
    if (auto place = root_->find(path); place && place->stat.type() == FileMode::kFifo) {
      return open_fifo(std::move(*place), request, status);
    }
  }
  if (!node) {
    return fail(node.error());
  }

  const auto fd = std::make_shared<const UniqueFd>(std::move(node->fd));
  if (node->stat.is_directory()) {
    return make_file<HostDirectory>(memory_, status, request.path, memory_.slab(), fd, place(path));
  }
  const bool writes = (flags & OpenFlag::kAccessMode) != OpenFlag::kReadOnly;
  const FdUse use = read_write ? FdUse::kReadWrite : writes ? FdUse::kWrite : FdUse::kRead;
  const auto make = [&]() -> Result<std::shared_ptr<HostFile>> {
    FL_TRY_ASSIGN(std::shared_ptr<HostInode> inode, inodes_.acquire(fd, use, node->stat));
    WriteClaim claim;
    if (writes) {
      FL_TRY_ASSIGN(claim, WriteClaim::take(inode->writers, WriteClaim::Kind::kWrite));
    }
    return make_file<HostFile>(memory_, status, request.path, memory_, fd, std::move(inode), place(path),
                               std::move(claim));
  };
  auto file = make();
  if (!file && created) {
    // The name must not stay behind a call that failed.
    (void)remove(caller, path, RemoveKind::kFile);
  }
  if (file && (flags & OpenFlag::kTruncate) != 0 && !created) {
    FL_TRY((*file)->truncate(0));
  }
  return file;
}

Result<std::shared_ptr<OpenFile>> HostFs::open_fifo(HostRoot::Node node, const OpenRequest& request, uint32_t status) {
  const uint32_t mode = request.flags & OpenFlag::kAccessMode;
  const int wanted = (mode != OpenFlag::kWriteOnly ? R_OK : 0) | (mode != OpenFlag::kReadOnly ? W_OK : 0);
  FL_TRY(host_status(::syscall(SYS_faccessat2, node.fd.get(), "", wanted, AT_EMPTY_PATH | AT_EACCESS)));
  std::erase_if(fifos_, [](const auto& each) { return each.second.expired(); });
  FL_TRY_ASSIGN(auto ring, open_ring(memory_, request.flags, fifos_[HostInodeKey::of(node.stat)]));
  return make_file<HostFifo>(memory_, status, request.path, std::move(node.fd), node.stat.ino, std::move(ring));
}

Status HostFs::access(const Caller&, const std::string& path, uint32_t mode) {
  FL_TRY_ASSIGN(const HostRoot::Node node, root_->find(path));
  if (mode == 0) {
    return {};
  }
  constexpr uint32_t kWriteOk = W_OK;
  const uint32_t type = node.stat.type();
  const bool on_medium = type == FileMode::kRegular || type == FileMode::kDirectory || type == FileMode::kSymlink;
  if ((mode & kWriteOk) != 0 && on_medium && !root_->writable(path)) {
    return fail(Errno::kEROFS);
  }
  return host_status(::syscall(SYS_faccessat2, node.fd.get(), "", mode, AT_EMPTY_PATH));
}

Result<FsStat> HostFs::statfs(const std::string& path) {
  FL_TRY_ASSIGN(const HostRoot::Node node, root_->find(path));
  return statfs_host_fd(node.fd.get());
}

Status HostFs::mkdir(const Caller&, const std::string& path, uint32_t mode) {
  if (path.empty() || root_->find(path)) {
    return fail(Errno::kEEXIST);
  }
  FL_TRY_ASSIGN(const HostRoot::Parent parent, root_->writable_parent(path));
  const NoHostUmask exact_mode;
  return host_status(::mkdirat(parent.dir.get(), parent.name.c_str(), mode & FileMode::kPermissions));
}

// Regular files and FIFOs: devices and sockets of the host are between the host's processes.
Status HostFs::mknod(const Caller&, const std::string& path, uint32_t mode) {
  if (path.empty() || root_->find(path)) {
    return fail(Errno::kEEXIST);
  }
  FL_TRY_ASSIGN(const HostRoot::Parent parent, root_->writable_parent(path));
  if ((mode & FileMode::kTypeMask) == FileMode::kFifo) {
    const NoHostUmask exact_mode;
    return host_status(
        ::mknodat(parent.dir.get(), parent.name.c_str(), mode & (FileMode::kTypeMask | FileMode::kPermissions), 0));
  }
  if ((mode & FileMode::kTypeMask) != FileMode::kRegular) {
    return fail(Errno::kEPERM);
  }
  FL_TRY(root_->create_file(path, 0, mode));
  return {};
}

Status HostFs::symlink(const Caller&, const std::string& path, const std::string& target) {
  if (path.empty() || root_->find(path)) {
    return fail(Errno::kEEXIST);
  }
  FL_TRY_ASSIGN(const HostRoot::Parent parent, root_->writable_parent(path));
  return host_status(::symlinkat(target.c_str(), parent.dir.get(), parent.name.c_str()));
}

Status HostFs::refuse_swapfile(const FileStat& stat) const {
  const HostInodeKey key = HostInodeKey::of(stat);
  return memory_.swap().find({key.device, key.number}) != nullptr ? fail(Errno::kEPERM) : Status{};
}

Status HostFs::remove(const Caller&, const std::string& path, RemoveKind kind) {
  FL_TRY_ASSIGN(const HostRoot::Node node, root_->find(path));
  FL_TRY(refuse_swapfile(node.stat));
  FL_TRY_ASSIGN(const HostRoot::Parent parent, root_->writable_parent(path));
  return host_status(
      ::unlinkat(parent.dir.get(), parent.name.c_str(), kind == RemoveKind::kDirectory ? AT_REMOVEDIR : 0));
}

Status HostFs::rename(const Caller&, const std::string& from, const std::string& to, uint32_t flags) {
  FL_TRY_ASSIGN(const HostRoot::Node node, root_->find(from));
  FL_TRY(refuse_swapfile(node.stat));
  if (const auto target = root_->find(to); target) {
    FL_TRY(refuse_swapfile(target->stat));
  }
  FL_TRY_ASSIGN(const HostRoot::Parent old_parent, root_->writable_parent(from));
  FL_TRY_ASSIGN(const HostRoot::Parent new_parent, root_->writable_parent(to));
  return host_status(
      ::renameat2(old_parent.dir.get(), old_parent.name.c_str(), new_parent.dir.get(), new_parent.name.c_str(), flags));
}

// A new name for a file outside the writable directories would make it writable: both names must lie inside.
Status HostFs::link(const Caller&, const std::string& from, const std::string& to) {
  FL_TRY(root_->find(from));
  if (root_->find(to)) {
    return fail(Errno::kEEXIST);
  }
  FL_TRY_ASSIGN(const HostRoot::Parent new_parent, root_->writable_parent(to));
  auto old_parent = root_->writable_parent(from);
  if (!old_parent) {
    return fail(old_parent.error() == Errno::kEROFS ? Errno::kEXDEV : old_parent.error());
  }
  return host_status(
      ::linkat(old_parent->dir.get(), old_parent->name.c_str(), new_parent.dir.get(), new_parent.name.c_str(), 0));
}

Status HostFs::chmod(const Caller&, const std::string& path, uint32_t mode) {
  FL_TRY_ASSIGN(const HostRoot::Node node, root_->find(path));
  return root_->writable(path) ? chmod_host_fd(node.fd.get(), mode) : fail(Errno::kEROFS);
}

Status HostFs::chown(const Caller&, const std::string& path, uint32_t uid, uint32_t gid) {
  FL_TRY_ASSIGN(const HostRoot::Node node, root_->find(path));
  return root_->writable(path) ? chown_host_fd(node.fd.get(), uid, gid) : fail(Errno::kEROFS);
}

Status HostFs::set_times(const Caller&, const std::string& path, const TimeChanges& times) {
  FL_TRY_ASSIGN(const HostRoot::Node node, root_->find(path));
  return root_->writable(path) ? set_times_host_fd(node.fd.get(), times) : fail(Errno::kEROFS);
}

Status HostFs::truncate(const Caller& caller, const std::string& path, uint64_t size) {
  OpenRequest request;
  request.flags = OpenFlag::kWriteOnly | OpenFlag::kLargeFile;
  FL_TRY_ASSIGN(const auto file, open(caller, path, request));
  return file->truncate(size);
}

}  // namespace fl::guest
