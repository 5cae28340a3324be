// Vfs: the guest's file tree. It walks paths over what is mounted (the host's files on "/", made-up /proc, /dev, /sys)
// and hands the last step to the file system there. Linux counterparts: fs/namei.c, fs/open.c, mnt_namespace.
//
// Every place is known by its canonical path in the guest's tree, so ".." is lexical and no mount point can be walked
// around; only the Vfs follows symbolic links. A path without links, "." and ".." needs one step: it is tried as it is
// first, and walked component by component only if a file system answers ELOOP. Simplified: a directory that somebody
// else moves on the host while the guest is in it is not followed.
#pragma once

#include <array>
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
#include "guest/fs/lock_table.hpp"
#include "guest/fs/tmp_kind.hpp"
#include "guest/fs/tmpfs/tmpfs.hpp"

namespace fl::guest {

class Kernel;
class ProcFs;

struct VfsOptions {
  HostRootOptions host;
  StopRequested stop;  // may be empty
  TmpKind tmp = TmpKind::kTmpfs;
  // Paths of the host that are seen through the tmpfs where they lie below /tmp, as if bound there; the writable
  // directories are in any case. What is not there or elsewhere is passed over.
  std::vector<std::string> shown = {};
  // Of the host, for the guest's standard input, output and error. They are borrowed.
  std::array<int, 3> standard_files = {0, 1, 2};
};

enum class Follow : bool { kNo, kYes };

// RESOLVE_* (linux/openat2.h).
struct Resolve {
  enum Bit : uint32_t { kNoXdev = 1, kNoMagicLinks = 2, kNoSymlinks = 4, kBeneath = 8, kInRoot = 16, kCached = 32 };
  static constexpr uint32_t kAll = 63;
};

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

  // The standard files as descriptors 0, 1 and 2, those that are open. Has SIGPIPE ignored by our own process: the
  // guest gets its own.
  Status open_stdio(FdTable& files);
  // A working directory: the host's current one if the guest can see it, else "/"; and the host's umask.
  Result<std::shared_ptr<FsContext>> initial_context();

  // --- system calls: paths as the guest gave them ---
  Result<std::shared_ptr<OpenFile>> open(const At& at, std::string_view path, uint32_t flags, uint32_t mode);
  // The same with RESOLVE_* of openat2, which hold for the whole walk; `at` is the start of an absolute path too.
  Result<std::shared_ptr<OpenFile>> open_scoped(const At& at, std::string_view path, uint32_t flags, uint32_t mode,
                                                uint32_t resolve);
  // A file to execute. EACCES if it is not a regular file or nobody may execute it. Linux: do_open_execat.
  Result<std::shared_ptr<OpenFile>> open_exec(const At& at, std::string_view path, Follow follow = Follow::kYes);
  Result<FileStat> stat(const At& at, std::string_view path, Follow follow);
  Result<std::string> readlink(const At& at, std::string_view path);
  Status access(const At& at, std::string_view path, uint32_t mode, Follow follow);
  Result<FsStat> statfs(const At& at, std::string_view path);
  // The place of a directory that may be entered.
  Result<std::shared_ptr<LivePath>> directory(const At& at, std::string_view path);

  Status mkdir(const At& at, std::string_view path, uint32_t mode);
  // `mode` with its type: FileSystem::mknod.
  Status mknod(const At& at, std::string_view path, uint32_t mode);
  Status symlink(const At& at, std::string_view path, const std::string& target);
  Status remove(const At& at, std::string_view path, RemoveKind kind);
  Status rename(const At& from_at, std::string_view from, const At& to_at, std::string_view to, uint32_t flags);
  Status link(const At& from_at, std::string_view from, const At& to_at, std::string_view to, Follow follow);
  // A name for an open file. Linux: linkat with AT_EMPTY_PATH.
  Status link_file(OpenFile& file, const At& to_at, std::string_view to);
  // For connect: FileSystem::socket_at.
  Result<std::shared_ptr<const void>> socket_at(const At& at, std::string_view path);
  Status chmod(const At& at, std::string_view path, uint32_t mode, Follow follow);
  Status chown(const At& at, std::string_view path, uint32_t uid, uint32_t gid, Follow follow);
  Status truncate(const At& at, std::string_view path, uint64_t size);
  Status set_times(const At& at, std::string_view path, const TimeChanges& times, Follow follow);

  // --- for file systems and files that have no place in the tree (pipes) ---
  // A place of an open file; "" is the root. ENOMEM.
  Result<std::shared_ptr<LivePath>> make_path(std::string_view text);
  // The place "/".
  const std::shared_ptr<LivePath>& root() const { return root_; }
  FsCaches& caches() { return caches_; }
  LockTable& locks() { return locks_; }
  uint64_t next_anonymous_inode() { return ++last_anonymous_inode_; }
  // Simplified: never given twice. Linux: eventfd_ida.
  uint32_t next_eventfd_id() { return next_eventfd_id_++; }
  vm::MemorySystem& memory() { return memory_; }
  HostFs& host() { return *host_; }
  HostPoller& host_poller() { return host_poller_; }
  // Writes back and forgets the files that nobody has open or mapped, and their cached pages.
  void drop_caches();
  // Forgets what the guest has stored in its own file systems, as unmounting them does.
  void empty_tmpfs();
  // Of files without a name: memfd_create. Linux: shm_mnt.
  const std::shared_ptr<TmpfsSuper>& unnamed_files() const { return unnamed_files_; }
  struct Mount {
    std::string path;  // canonical; "" is the root
    std::string type;
    std::shared_ptr<FileSystem> fs;
    std::string fs_path = {};  // what of the file system is mounted. Linux: mnt_root
    bool writable = true;
  };
  const std::vector<Mount>& mounts() const { return mounts_; }

 private:
  // The end of a walk.
  struct Spot {
    const Mount* mount;
    FileSystem* fs;
    std::string path;  // relative to fs
    std::string full;  // canonical in the guest's tree; "" is the root
    bool magic;        // a magic link, to be followed by fs
    bool is_mount_point() const { return full == mount->path; }
  };
  enum class LastMayBeMissing : bool { kNo, kYes };
  // What openat2 forbids a walk. Linux: LOOKUP_BENEATH and others.
  struct Scope {
    uint32_t resolve = 0;  // Resolve bits
    std::string root;      // canonical: what "/" and ".." do not leave, if it is scoped
    const Mount* mount = nullptr;
    bool has(uint32_t bits) const { return (resolve & bits) != 0; }
  };

  Vfs(vm::MemorySystem& memory, VfsOptions options);
  Status mount(std::unique_ptr<HostRoot> root);
  Status mount_tmpfs(const std::string& path);
  void bind_host(const std::string& host_path);
  Spot spot(std::string full) const;
  static Result<std::string> start(const At& at, std::string_view path);
  Result<Spot> walk(const At& at, std::string_view path, Follow follow, LastMayBeMissing missing) const;
  Result<Spot> walk_from(const At& at, std::string current, std::string_view path, Follow follow,
                         LastMayBeMissing missing, const Scope& scope) const;
  template <typename Operation>
  auto apply(const At& at, std::string_view path, Follow follow, LastMayBeMissing missing, Operation operation)
      -> std::invoke_result_t<Operation, const Spot&>;
  Result<Spot> settle(const At& at, const Spot& spot, Follow follow) const;
  Result<Spot> place_for_new(const At& at, std::string_view path) const;
  // New names for what lies at `from` or below.
  struct Renamed {
    LivePath* path;
    SharedText name;
  };
  using Renames = std::vector<Renamed>;
  Status plan_rename(const std::string& from, const std::string& to, Renames& renames);
  void note_removed(const std::string& full);

  vm::MemorySystem& memory_;
  FsCaches caches_;
  LockTable locks_;
  VfsOptions options_;
  HostPoller host_poller_;
  std::vector<Mount> mounts_;  // longer paths first, so that the first that fits is the right one
  std::vector<Tmpfs*> tmpfs_;
  std::shared_ptr<TmpfsSuper> unnamed_files_;
  HostFs* host_ = nullptr;
  ProcFs* proc_ = nullptr;
  Kernel* kernel_ = nullptr;
  LivePathList live_paths_;
  std::shared_ptr<LivePath> root_;
  uint64_t last_anonymous_inode_ = 0;
  uint32_t next_eventfd_id_ = 0;
};

}  // namespace fl::guest
