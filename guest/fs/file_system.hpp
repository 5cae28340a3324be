// FileSystem: what is mounted somewhere in the guest's tree. Linux counterparts: struct super_block, inode_operations.
//
// Paths are relative to the mount and canonical: "" is its root, "a/b" has no ".", ".." or doubled slash, and no
// component but the last may be a symbolic link: such a path answers ELOOP and the Vfs, which does all following, walks
// it component by component. The base class is a read-only file system.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "guest/fs/file_stat.hpp"
#include "guest/fs/live_path.hpp"
#include "guest/fs/open_file.hpp"
#include "mmu/base/result.hpp"

namespace fl::guest {

// Who asks: /proc/self depends on it.
struct Caller {
  uint32_t pid = 0;
  uint32_t tid = 0;
};

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

  virtual Status mkdir(const std::string& path, uint32_t mode);
  virtual Status symlink(const std::string& path, const std::string& target);
  virtual Status remove(const std::string& path, RemoveKind kind);
  // `flags`: RENAME_NOREPLACE, RENAME_EXCHANGE.
  virtual Status rename(const std::string& from, const std::string& to, uint32_t flags);
  virtual Status link(const std::string& from, const std::string& to);
  virtual Status chmod(const std::string& path, uint32_t mode);
  virtual Status chown(const std::string& path, uint32_t uid, uint32_t gid);
  virtual Status truncate(const std::string& path, uint64_t size);
  virtual Status set_times(const std::string& path, const TimeChanges& times);
};

}  // namespace fl::guest
