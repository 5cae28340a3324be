// The stat and statfs families. Linux counterparts: fs/stat.c, fs/statfs.c.
#include "guest/syscall/file_abi.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"

namespace fl::guest {
namespace {

// The file that a path names, or with AT_EMPTY_PATH and an empty one the descriptor's own.
Result<FileStat> stat_at(Kernel& kernel, Task& task, int32_t dirfd, VirtAddr name, uint32_t flags) {
  FL_TRY_ASSIGN(const std::string path, user_path(task, name));
  if (path.empty() && (flags & AtFlag::kEmptyPath) != 0) {
    if (dirfd == kAtFdCwd) {
      return kernel.vfs().stat(at_cwd(task), ".", Follow::kYes);
    }
    FL_TRY_ASSIGN(OpenFile * file, any_file(task, static_cast<uint32_t>(dirfd)));
    return file->stat();
  }
  FL_TRY_ASSIGN(const At at, at_directory(task, dirfd, path));
  return kernel.vfs().stat(at, path, follow_unless((flags & AtFlag::kSymlinkNoFollow) != 0));
}

Result<uint32_t> put_stat32(Task& task, VirtAddr to, const Result<FileStat>& stat) {
  if (!stat) {
    return fail(stat.error());
  }
  FL_TRY_ASSIGN(const Stat32 out, to_stat32(*stat));
  return zero_or(task.user().put(to, out));
}

Result<uint32_t> put_stat64(Task& task, VirtAddr to, const Result<FileStat>& stat) {
  if (!stat) {
    return fail(stat.error());
  }
  return zero_or(task.user().put(to, to_stat64(*stat)));
}

Result<FileStat> stat_fd(Task& task, uint32_t fd) {
  FL_TRY_ASSIGN(OpenFile * file, any_file(task, fd));
  return file->stat();
}

Result<FsStat> statfs_path(Kernel& kernel, Task& task, VirtAddr name) {
  FL_TRY_ASSIGN(const std::string path, user_path(task, name));
  return kernel.vfs().statfs(at_cwd(task), path);
}

Result<FsStat> statfs_fd(Task& task, uint32_t fd) {
  FL_TRY_ASSIGN(OpenFile * file, any_file(task, fd));
  return file->statfs();
}

Result<uint32_t> put_statfs32(Task& task, VirtAddr to, const Result<FsStat>& stat) {
  if (!stat) {
    return fail(stat.error());
  }
  FL_TRY_ASSIGN(const Statfs32 out, to_statfs32(*stat));
  return zero_or(task.user().put(to, out));
}

Result<uint32_t> put_statfs64(Task& task, VirtAddr to, const Result<FsStat>& stat) {
  if (!stat) {
    return fail(stat.error());
  }
  return zero_or(task.user().put(to, to_statfs64(*stat)));
}

}  // namespace

Result<uint32_t> sys_stat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return put_stat32(task, args.ptr(1), stat_at(kernel, task, kAtFdCwd, args.ptr(0), 0));
}
Result<uint32_t> sys_lstat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return put_stat32(task, args.ptr(1), stat_at(kernel, task, kAtFdCwd, args.ptr(0), AtFlag::kSymlinkNoFollow));
}
Result<uint32_t> sys_fstat(Kernel&, Task& task, const SyscallArgs& args) {
  return put_stat32(task, args.ptr(1), stat_fd(task, args[0]));
}
Result<uint32_t> sys_stat64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return put_stat64(task, args.ptr(1), stat_at(kernel, task, kAtFdCwd, args.ptr(0), 0));
}
Result<uint32_t> sys_lstat64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return put_stat64(task, args.ptr(1), stat_at(kernel, task, kAtFdCwd, args.ptr(0), AtFlag::kSymlinkNoFollow));
}
Result<uint32_t> sys_fstat64(Kernel&, Task& task, const SyscallArgs& args) {
  return put_stat64(task, args.ptr(1), stat_fd(task, args[0]));
}

Result<uint32_t> sys_fstatat64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kValid =
      AtFlag::kSymlinkNoFollow | AtFlag::kNoAutomount | AtFlag::kEmptyPath | AtFlag::kStatxSyncType;
  if ((args[3] & ~kValid) != 0) {
    return fail(Errno::kEINVAL);
  }
  return put_stat64(task, args.ptr(2), stat_at(kernel, task, args.s(0), args.ptr(1), args[3]));
}

// dirfd, path, flags, mask, buffer. The mask only says what is wanted at least.
Result<uint32_t> sys_statx(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kReservedMask = 0x80000000;
  constexpr uint32_t kValid =
      AtFlag::kSymlinkNoFollow | AtFlag::kNoAutomount | AtFlag::kEmptyPath | AtFlag::kStatxSyncType;
  const uint32_t flags = args[2];
  if ((args[3] & kReservedMask) != 0 || (flags & ~kValid) != 0 ||
      (flags & AtFlag::kStatxSyncType) == AtFlag::kStatxSyncType) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const FileStat stat, stat_at(kernel, task, args.s(0), args.ptr(1), flags));
  return zero_or(task.user().put(args.ptr(4), to_statx(stat)));
}

Result<uint32_t> sys_statfs(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return put_statfs32(task, args.ptr(1), statfs_path(kernel, task, args.ptr(0)));
}
Result<uint32_t> sys_fstatfs(Kernel&, Task& task, const SyscallArgs& args) {
  return put_statfs32(task, args.ptr(1), statfs_fd(task, args[0]));
}
Result<uint32_t> sys_statfs64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[1] != sizeof(Statfs64)) {
    return fail(Errno::kEINVAL);
  }
  return put_statfs64(task, args.ptr(2), statfs_path(kernel, task, args.ptr(0)));
}
Result<uint32_t> sys_fstatfs64(Kernel&, Task& task, const SyscallArgs& args) {
  if (args[1] != sizeof(Statfs64)) {
    return fail(Errno::kEINVAL);
  }
  return put_statfs64(task, args.ptr(2), statfs_fd(task, args[0]));
}

}  // namespace fl::guest
