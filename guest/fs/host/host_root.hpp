// HostRoot: the part of the host's file tree that the guest may see, and the parts of it that it may change.
//
// Holds a directory descriptor of the root and one of each writable directory; every access is an openat2(2) below one
// of them that follows no symbolic link at all (the Vfs follows links itself, inside the guest's tree) and no magic
// link, so no path, link, ".." or rename race leads out. What was opened is judged by the descriptor: the host's proc,
// sysfs, /dev and other kernel file systems are refused whatever path leads there. Whether a file may be written is
// decided by the descriptor below which it was opened. Linux counterparts: a chroot with a read-only root and writable
// bind mounts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <unordered_map>
#include <vector>

#include "guest/fs/file_stat.hpp"
#include "guest/fs/unique_fd.hpp"
#include "mmu/base/result.hpp"

namespace fl::guest {

struct HostRootOptions {
  std::string root = "/";             // host directory that the guest sees as "/"
  std::vector<std::string> writable;  // host directories inside it
};

class HostRoot {
 public:
  // Opens the directories. A message for the user if one cannot be opened, a writable one is outside the root, or the
  // kernel has no openat2.
  static tl::expected<std::unique_ptr<HostRoot>, std::string> open(const HostRootOptions& options);

  struct Node {
    UniqueFd fd;
    FileStat stat;
  };
  // Paths are relative to the root and canonical (FileSystem). ELOOP if a component but the last is a symbolic link;
  // EACCES if the place belongs to a kernel file system.

  // An O_PATH descriptor of any kind of file; a symbolic link itself is opened.
  Result<Node> find(const std::string& path);
  // A regular file or directory, opened for real. Other kinds: EACCES (devices, FIFOs: as on a nodev mount), ENXIO
  // (sockets), ELOOP (symbolic links). `flags`: O_ flags of open(2) without O_CREAT and O_TRUNC; to write, the path
  // must be writable.
  Result<Node> open_file(const std::string& path, int flags);
  // Makes a new regular file, read-write. EEXIST if there is something already; EROFS.
  Result<Node> create_file(const std::string& path, int flags, uint32_t mode);

  // The directory that holds the last component of a path that may be changed, and that component. EROFS.
  struct Parent {
    UniqueFd dir;
    std::string name;
  };
  Result<Parent> writable_parent(const std::string& path);
  // The path lies strictly below a writable directory, or is one.
  bool writable(std::string_view path) const;
  // Canonical, as the guest sees them, relative to the root.
  std::vector<std::string> writable_directories() const;

  // Where the guest sees a host path, if it lies inside the root. `host_path` must exist.
  Result<std::string> guest_path(const std::string& host_path) const;

 private:
  struct Writable {
    std::string path;  // canonical, as the guest sees it, relative to the root
    UniqueFd fd;
  };
  HostRoot(UniqueFd root, std::string root_path) : root_(std::move(root)), root_path_(std::move(root_path)) {}
  tl::expected<void, std::string> add_writable(const std::string& directory);
  void forbid_kernel_mounts();
  const Writable* writable_for(std::string_view path) const;
  Result<UniqueFd> open_below_root(const std::string& path, int flags) const;
  // Refuses kernel file systems.
  Status check_place(int fd, const FileStat& stat);
  Result<Node> checked(UniqueFd fd);

  UniqueFd root_;
  std::string root_path_;  // real path on the host; "/" has no other slash
  std::vector<Writable> writable_;
  std::unordered_map<uint64_t, bool> device_allowed_;  // by DeviceNumber::word()
};

// Makes files with exactly the mode that is asked for while it lives: the guest's umask is applied by the guest's
// kernel.
class NoHostUmask {
 public:
  NoHostUmask();
  ~NoHostUmask();
  NoHostUmask(const NoHostUmask&) = delete;
  NoHostUmask& operator=(const NoHostUmask&) = delete;

 private:
  unsigned int old_;
};

}  // namespace fl::guest
