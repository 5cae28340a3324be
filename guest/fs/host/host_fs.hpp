// HostFs: the host's files as a file system of the guest. Linux counterpart: an ext4 mounted read-only, with writable
// bind mounts for --rw.
//
// All access goes through HostRoot; regular files share their pages through the inode table.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "guest/fs/file_system.hpp"
#include "guest/fs/host/host_file.hpp"
#include "guest/fs/host/host_inode.hpp"
#include "guest/fs/host/host_root.hpp"
#include "guest/fs/pipe_buffer.hpp"

namespace fl::guest {

class HostFs final : public FileSystem {
 public:
  HostFs(vm::MemorySystem& memory, FsCaches& caches, std::unique_ptr<HostRoot> root)
      : memory_(memory), root_(std::move(root)), inodes_(memory, caches) {}

  Result<FileStat> lstat(const Caller& caller, const std::string& path) override;
  Result<LinkTarget> readlink(const Caller& caller, const std::string& path) override;
  Result<std::shared_ptr<OpenFile>> open(const Caller& caller, const std::string& path,
                                         const OpenRequest& request) override;
  Status access(const Caller& caller, const std::string& path, uint32_t mode) override;
  Result<FsStat> statfs(const std::string& path) override;
  Status mkdir(const Caller& caller, const std::string& path, uint32_t mode) override;
  Status mknod(const Caller& caller, const std::string& path, uint32_t mode) override;
  Status symlink(const Caller& caller, const std::string& path, const std::string& target) override;
  Status remove(const Caller& caller, const std::string& path, RemoveKind kind) override;
  Status rename(const Caller& caller, const std::string& from, const std::string& to, uint32_t flags) override;
  Status link(const Caller& caller, const std::string& from, const std::string& to) override;
  Status chmod(const Caller& caller, const std::string& path, uint32_t mode) override;
  Status chown(const Caller& caller, const std::string& path, uint32_t uid, uint32_t gid) override;
  Status truncate(const Caller& caller, const std::string& path, uint64_t size) override;
  Status set_times(const Caller& caller, const std::string& path, const TimeChanges& times) override;

  HostRoot& root() { return *root_; }
  HostInodeTable& inodes() { return inodes_; }

 private:
  Result<std::shared_ptr<OpenFile>> open_fifo(HostRoot::Node node, const OpenRequest& request, uint32_t status);
  Result<HostRoot::Node> open_existing(const std::string& path, uint32_t flags, bool& read_write);
  // EPERM for a file that is swapped to. Linux: may_delete.
  Status refuse_swapfile(const FileStat& stat) const;
  Place place(const std::string& path) const { return root_->writable(path) ? Place::kWritable : Place::kReadOnly; }

  vm::MemorySystem& memory_;
  std::unique_ptr<HostRoot> root_;
  HostInodeTable inodes_;
  // Of the FIFOs that are open; what is left of closed ones goes with the next open.
  std::map<HostInodeKey, std::weak_ptr<PipeBuffer>> fifos_;
};

}  // namespace fl::guest
