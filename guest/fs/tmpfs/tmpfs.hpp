// Tmpfs: a file system in simulated RAM and swap, mounted on /tmp and /dev/shm. Linux counterpart: mm/shmem.c.
//
// Regular files, directories, symbolic and hard links, FIFOs and sockets; limits on pages and inodes; rights by the
// caller's credentials. Devices are refused (EPERM). Times are the guest's clock. Simplified: no extended attributes,
// no access control lists.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "guest/fs/file_system.hpp"
#include "guest/fs/tmpfs/tmpfs_inode.hpp"

namespace fl::guest {

class Tmpfs final : public FileSystem {
 public:
  // With Linux's default limits: half of RAM, and as many inodes as half of RAM's pages. Its root is everybody's, with
  // the sticky bit. ENOSPC, ENOMEM.
  static Result<std::unique_ptr<Tmpfs>> create(vm::MemorySystem& memory, FsCaches& caches, DeviceNumber device,
                                               std::function<FileTime()> now);

  Result<FileStat> lstat(const Caller& caller, const std::string& path) override;
  Result<LinkTarget> readlink(const Caller& caller, const std::string& path) override;
  Result<std::shared_ptr<OpenFile>> open(const Caller& caller, const std::string& path,
                                         const OpenRequest& request) override;
  Status access(const Caller& caller, const std::string& path, uint32_t mode) override;
  Result<FsStat> statfs(const std::string& path) override;

  Status check_unnamed_files(const Caller&, const std::string&) override { return {}; }
  Status mkdir(const Caller& caller, const std::string& path, uint32_t mode) override;
  Status mknod(const Caller& caller, const std::string& path, uint32_t mode) override;
  Status symlink(const Caller& caller, const std::string& path, const std::string& target) override;
  Status remove(const Caller& caller, const std::string& path, RemoveKind kind) override;
  Status rename(const Caller& caller, const std::string& from, const std::string& to, uint32_t flags) override;
  Status link(const Caller& caller, const std::string& from, const std::string& to) override;
  Status link_file(const Caller& caller, OpenFile& file, const std::string& to) override;
  Status chmod(const Caller& caller, const std::string& path, uint32_t mode) override;
  Status chown(const Caller& caller, const std::string& path, uint32_t uid, uint32_t gid) override;
  Status truncate(const Caller& caller, const std::string& path, uint64_t size) override;
  Status set_times(const Caller& caller, const std::string& path, const TimeChanges& times) override;
  Result<std::shared_ptr<const void>> socket_at(const Caller& caller, const std::string& path) override;

  // Makes the directories of a path and at its end a directory, or a file, on which something is mounted: they can
  // neither be removed nor renamed.
  Status make_mount_point(std::string_view path, FileMode::Bit type);
  // The clock has begun: what was made before that is from now.
  void date_boot_inodes();
  // Forgets everything but mount points, as unmounting does.
  void clear();

 private:
  explicit Tmpfs(std::shared_ptr<TmpfsSuper> super, std::shared_ptr<TmpfsInode> root)
      : super_(std::move(super)), root_(std::move(root)) {}

  // The end of a path.
  struct Place {
    std::shared_ptr<TmpfsInode> directory;  // null: the path is the root
    std::string_view name;
    TmpfsEntry* entry = nullptr;  // null: there is none
    std::shared_ptr<TmpfsInode> inode;
  };
  // ENOENT (of directories on the way), ENOTDIR, EACCES, ENAMETOOLONG, ELOOP.
  Result<Place> walk(const Caller& caller, std::string_view path) const;
  // The same; ENOENT if nothing is there.
  Result<std::shared_ptr<TmpfsInode>> find(const Caller& caller, std::string_view path) const;
  // The same of a name that is to be made: EEXIST; EACCES if the directory may not be written.
  Result<Place> place_for_new(const Caller& caller, std::string_view path) const;
  // May this entry be removed or replaced? Linux: may_delete.
  static Status may_delete(const Caller& caller, const TmpfsInode& directory, const TmpfsEntry& entry, RemoveKind kind);
  // A new inode for an entry of `directory`. Linux: inode_init_owner.
  Result<std::shared_ptr<TmpfsInode>> make_inode(const Caller& caller, const TmpfsInode& directory,
                                                 uint32_t mode) const;
  // A new inode with its entry, put in.
  Result<std::shared_ptr<TmpfsInode>> make(const Caller& caller, const Place& place, uint32_t mode,
                                           std::string_view target = {}) const;
  Result<std::shared_ptr<OpenFile>> open_inode(const Caller& caller, const std::shared_ptr<TmpfsInode>& inode,
                                               const OpenRequest& request, bool created);
  Result<std::shared_ptr<OpenFile>> open_unnamed(const Caller& caller, const std::string& path,
                                                 const OpenRequest& request);
  Status add_link(const Caller& caller, const std::shared_ptr<TmpfsInode>& inode, const std::string& to);

  std::shared_ptr<TmpfsSuper> super_;
  std::shared_ptr<TmpfsInode> root_;
};

}  // namespace fl::guest
