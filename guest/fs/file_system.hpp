// FileSystem: what is mounted somewhere in the guest's tree. Linux counterparts: struct super_block, inode_operations.
//
// Paths are relative to the mount and canonical: "" is its root, "a/b" has no ".", ".." or doubled slash, and no
// component but the last may be a symbolic link: such a path answers ELOOP and the Vfs, which does all following, walks
// it component by component. The base class is a read-only file system.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "guest/fs/caller.hpp"
#include "guest/fs/file_stat.hpp"
#include "guest/fs/live_path.hpp"
#include "guest/fs/open_file.hpp"
#include "mmu/base/result.hpp"

namespace fl::guest {

struct OpenRequest {
  uint32_t flags = 0;  // OpenFlag bits
  uint32_t mode = 0;   // of a file that is created, the umask applied
  std::shared_ptr<LivePath> path;
};

enum class RemoveKind : uint8_t { kFile, kDirectory };

struct LinkTarget {
  std::string text;
  // Following it is not walking the text: the file system opens and stats the target itself (/proc/PID/fd/N).
  bool magic = false;
};

class FileSystem {
 public:
  FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;
  virtual ~FileSystem() = default;

  virtual Result<FileStat> lstat(const Caller& caller, const std::string& path) = 0;
  // The target's answer where the path is a magic link.
  virtual Result<FileStat> stat_magic(const Caller& caller, const std::string& path) { return lstat(caller, path); }
  // EINVAL if it is not a symbolic link.
  virtual Result<LinkTarget> readlink(const Caller& caller, const std::string& path) = 0;
  // Opens, and with O_CREAT makes, a file or directory. ELOOP if the last component is a symbolic link (a magic one is
  // followed, unless O_NOFOLLOW).
  virtual Result<std::shared_ptr<OpenFile>> open(const Caller& caller, const std::string& path,
                                                 const OpenRequest& request) = 0;
  // R_OK | W_OK | X_OK of `mode`; 0: does it exist. A symbolic link is not followed.
  virtual Status access(const Caller& caller, const std::string& path, uint32_t mode) = 0;
  virtual Result<FsStat> statfs(const std::string& path) = 0;

  // Whether open knows O_TMPFILE, for a directory. ENOTDIR, ELOOP; EOPNOTSUPP: it does not.
  virtual Status check_unnamed_files(const Caller& caller, const std::string& path);
  virtual Status mkdir(const Caller& caller, const std::string& path, uint32_t mode);
  // `mode` with its type: a regular file, FIFO or socket; EPERM for devices.
  virtual Status mknod(const Caller& caller, const std::string& path, uint32_t mode);
  virtual Status symlink(const Caller& caller, const std::string& path, const std::string& target);
  virtual Status remove(const Caller& caller, const std::string& path, RemoveKind kind);
  // `flags`: RENAME_NOREPLACE, RENAME_EXCHANGE.
  virtual Status rename(const Caller& caller, const std::string& from, const std::string& to, uint32_t flags);
  virtual Status link(const Caller& caller, const std::string& from, const std::string& to);
  // A name for an open file of this file system. ENOENT if it has none any more and was not made without one
  // (O_TMPFILE); EXDEV if it is another's.
  virtual Status link_file(const Caller& caller, OpenFile& file, const std::string& to);
  virtual Status chmod(const Caller& caller, const std::string& path, uint32_t mode);
  virtual Status chown(const Caller& caller, const std::string& path, uint32_t uid, uint32_t gid);
  virtual Status truncate(const Caller& caller, const std::string& path, uint64_t size);
  virtual Status set_times(const Caller& caller, const std::string& path, const TimeChanges& times);
  // For AF_UNIX: what stands for the socket at a path, made by mknod for bind, and lives as long as its inode. EACCES
  // if the caller may not write to it, ECONNREFUSED if it is no socket of the guest. Linux: unix_find_bsd.
  virtual Result<std::shared_ptr<const void>> socket_at(const Caller& caller, const std::string& path);
};

}  // namespace fl::guest
