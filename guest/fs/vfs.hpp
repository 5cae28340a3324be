// Vfs: the guest's file tree. It walks paths over what is mounted (the host's files on "/", made-up /proc, /dev, /sys)
// and hands the last step to the file system there. Linux counterparts: fs/namei.c, fs/open.c, mnt_namespace.
//
// Every place is known by its canonical path in the guest's tree, so ".." is lexical and no mount point can be walked
// around; only the Vfs follows symbolic links. A path without links, "." and ".." needs one step: it is tried as it is
// first, and walked component by component only if a file system answers ELOOP. Simplified: a directory that somebody
// else moves on the host while the guest is in it is not followed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <vector>

#include "guest/fs/dev/dev_fs.hpp"
#include "guest/fs/fd_table.hpp"
#include "guest/fs/file_system.hpp"
#include "guest/fs/fs_context.hpp"
#include "guest/fs/host/host_fs.hpp"
#include "guest/fs/host/host_stream.hpp"

namespace fl::guest {

class Kernel;
class ProcFs;

struct VfsOptions {
  HostRootOptions host;
  StopRequested stop;  // may be empty
};

enum class Follow : bool { kNo, kYes };

// Where a relative path starts, and who asks.
struct At {
  std::shared_ptr<LivePath> directory;
  Caller caller;
};

class Vfs {
 public:
  // A message for the user if the host's directories cannot be had.
  static tl::expected<std::unique_ptr<Vfs>, std::string> create(vm::MemorySystem& memory, VfsOptions options);
  Vfs(const Vfs&) = delete;
  Vfs& operator=(const Vfs&) = delete;
  ~Vfs();

  // /proc shows this kernel's tasks from now on, and /dev/random is fed by it; null: none. The kernel calls it when it
  // is made and when it goes.
  void set_kernel(Kernel* kernel);

  // Descriptors 0, 1 and 2 of the host, those that are open. Has SIGPIPE ignored by our own process: the guest gets its
  // own.
  Status open_stdio(FdTable& files);
  // A working directory: the host's current one if the guest can see it, else "/"; and the host's umask.
  Result<std::shared_ptr<FsContext>> initial_context();

  // --- system calls: paths as the guest gave them ---
  Result<std::shared_ptr<OpenFile>> open(const At& at, std::string_view path, uint32_t flags, uint32_t mode);
  // A file to execute. EACCES if it is not a regular file or nobody may execute it. Linux: do_open_execat.
  Result<std::shared_ptr<OpenFile>> open_exec(const At& at, std::string_view path, Follow follow = Follow::kYes);
  Result<FileStat> stat(const At& at, std::string_view path, Follow follow);
  Result<std::string> readlink(const At& at, std::string_view path);
  Status access(const At& at, std::string_view path, uint32_t mode, Follow follow);
  Result<FsStat> statfs(const At& at, std::string_view path);
  // The place of a directory that may be entered.
  Result<std::shared_ptr<LivePath>> directory(const At& at, std::string_view path);

  Status mkdir(const At& at, std::string_view path, uint32_t mode);
  Status symlink(const At& at, std::string_view path, const std::string& target);
  Status remove(const At& at, std::string_view path, RemoveKind kind);
  Status rename(const At& from_at, std::string_view from, const At& to_at, std::string_view to, uint32_t flags);
  Status link(const At& from_at, std::string_view from, const At& to_at, std::string_view to, Follow follow);
  Status chmod(const At& at, std::string_view path, uint32_t mode, Follow follow);
  Status chown(const At& at, std::string_view path, uint32_t uid, uint32_t gid, Follow follow);
  Status truncate(const At& at, std::string_view path, uint64_t size);
  Status set_times(const At& at, std::string_view path, const TimeChanges& times, Follow follow);

  // --- for file systems and files that have no place in the tree (pipes) ---
  std::shared_ptr<LivePath> make_path(std::string text);
  uint64_t next_anonymous_inode() { return ++last_anonymous_inode_; }
  vm::MemorySystem& memory() { return memory_; }
  HostFs& host() { return *host_; }
  HostPoller& host_poller() { return host_poller_; }
  // Writes back and forgets the files that nobody has open or mapped, and their cached pages.
  void drop_caches();
  struct Mount {
    std::string path;  // canonical; "" is the root
    std::string type;
    std::unique_ptr<FileSystem> fs;
  };
  const std::vector<Mount>& mounts() const { return mounts_; }

 private:
  // The end of a walk.
  struct Spot {
    FileSystem* fs;
    std::string path;  // relative to fs
    std::string full;  // canonical in the guest's tree; "" is the root
    bool magic;        // a magic link, to be followed by fs
  };
  enum class LastMayBeMissing : bool { kNo, kYes };

  Vfs(vm::MemorySystem& memory, VfsOptions options, std::unique_ptr<HostRoot> root);
  Spot spot(std::string full) const;
  static Result<std::string> start(const At& at, std::string_view path);
  Result<Spot> walk(const At& at, std::string_view path, Follow follow, LastMayBeMissing missing) const;
  template <typename Operation>
  auto apply(const At& at, std::string_view path, Follow follow, LastMayBeMissing missing, Operation operation)
      -> std::invoke_result_t<Operation, const Spot&>;
  Result<Spot> settle(const At& at, const Spot& spot, Follow follow) const;
  Result<Spot> place_for_new(const At& at, std::string_view path) const;
  void note_removed(const std::string& full);
  void note_renamed(const std::string& from, const std::string& to);

  vm::MemorySystem& memory_;
  VfsOptions options_;
  HostPoller host_poller_;
  std::vector<Mount> mounts_;  // the root last
  HostFs* host_ = nullptr;
  ProcFs* proc_ = nullptr;
  Kernel* kernel_ = nullptr;
  LivePathList live_paths_;
  uint64_t last_anonymous_inode_ = 0;
};

}  // namespace fl::guest
