// Calls that change the file tree. Linux counterparts: fs/namei.c, fs/open.c (chmod, chown, truncate), fs/sync.c.
//
// Simplified: mknod makes no devices, and below the host's directories regular files only (EPERM for the rest);
// renameat2 knows NOREPLACE and EXCHANGE.
#include <limits>

#include "guest/fs/path.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kRenameNoReplace = 1;
constexpr uint32_t kRenameExchange = 2;

// A path argument together with the place where it starts.
struct Named {
  std::string path;
  At at;
};
Result<Named> at_name(Task& task, int32_t dirfd, Result<std::string> path) {
  FL_TRY_ASSIGN(std::string text, std::move(path));
  FL_TRY_ASSIGN(At at, at_directory(task, dirfd, text));
  return Named{std::move(text), std::move(at)};
}
Result<Named> named(Task& task, int32_t dirfd, VirtAddr from) { return at_name(task, dirfd, user_path(task, from)); }

Result<uint32_t> mkdir_at(Kernel& kernel, Task& task, int32_t dirfd, VirtAddr name, uint32_t mode) {
  constexpr uint32_t kModes = 01777;
  FL_TRY_ASSIGN(const Named where, named(task, dirfd, name));
  return zero_or(kernel.vfs().mkdir(where.at, where.path, mode & kModes & ~task.fs->umask));
}

Result<uint32_t> remove_at(Kernel& kernel, Task& task, int32_t dirfd, VirtAddr name, RemoveKind kind) {
  FL_TRY_ASSIGN(const Named where, named(task, dirfd, name));
  return zero_or(kernel.vfs().remove(where.at, where.path, kind));
}

// Two paths, as the kernel's compiler reads them: the second argument first. Errors are told in their own order.
struct TwoPaths {
  Result<std::string> first, second;
};
TwoPaths user_paths(Task& task, VirtAddr first, VirtAddr second) {
  Result<std::string> second_text = user_path(task, second);
  return {user_path(task, first), std::move(second_text)};
}

Result<uint32_t> rename_at(Kernel& kernel, Task& task, int32_t from_fd, VirtAddr from, int32_t to_fd, VirtAddr to,
                           uint32_t flags) {
  TwoPaths paths = user_paths(task, from, to);
  if ((flags & ~(kRenameNoReplace | kRenameExchange)) != 0 || flags == (kRenameNoReplace | kRenameExchange)) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const Named source, at_name(task, from_fd, std::move(paths.first)));
  FL_TRY_ASSIGN(const Named target, at_name(task, to_fd, std::move(paths.second)));
  return zero_or(kernel.vfs().rename(source.at, source.path, target.at, target.path, flags));
}

Result<uint32_t> link_at(Kernel& kernel, Task& task, int32_t from_fd, VirtAddr from, int32_t to_fd, VirtAddr to,
                         uint32_t flags) {
  TwoPaths paths = user_paths(task, from, to);
  if ((flags & ~uint32_t{AtFlag::kSymlinkFollow | AtFlag::kEmptyPath}) != 0) {
    return fail(Errno::kEINVAL);
  }
  if (paths.first && paths.first->empty() && (flags & AtFlag::kEmptyPath) != 0) {
    // Only CAP_DAC_READ_SEARCH gives a name to whatever is open. Linux: do_linkat.
    if (task.cred.euid != 0) {
      return fail(Errno::kENOENT);
    }
    FL_TRY_ASSIGN(OpenFile * file, any_file(task, static_cast<uint32_t>(from_fd)));
    FL_TRY_ASSIGN(const Named target, at_name(task, to_fd, std::move(paths.second)));
    return zero_or(kernel.vfs().link_file(*file, target.at, target.path));
  }
  FL_TRY_ASSIGN(const Named source, at_name(task, from_fd, std::move(paths.first)));
  FL_TRY_ASSIGN(const Named target, at_name(task, to_fd, std::move(paths.second)));
  return zero_or(kernel.vfs().link(source.at, source.path, target.at, target.path,
                                   follow_unless((flags & AtFlag::kSymlinkFollow) == 0)));
}

Result<uint32_t> symlink_at(Kernel& kernel, Task& task, VirtAddr target, int32_t dirfd, VirtAddr name) {
  TwoPaths paths = user_paths(task, target, name);
  FL_TRY_ASSIGN(const std::string text, std::move(paths.first));
  if (text.empty()) {
    return fail(Errno::kENOENT);
  }
  FL_TRY_ASSIGN(const Named where, at_name(task, dirfd, std::move(paths.second)));
  return zero_or(kernel.vfs().symlink(where.at, where.path, text));
}

Result<uint32_t> chmod_at(Kernel& kernel, Task& task, int32_t dirfd, VirtAddr name, uint32_t mode) {
  FL_TRY_ASSIGN(const Named where, named(task, dirfd, name));
  return zero_or(kernel.vfs().chmod(where.at, where.path, mode & FileMode::kPermissions, Follow::kYes));
}

Result<uint32_t> chown_at(Kernel& kernel, Task& task, int32_t dirfd, VirtAddr name, uint32_t uid, uint32_t gid,
                          uint32_t flags) {
  if ((flags & ~uint32_t{AtFlag::kSymlinkNoFollow | AtFlag::kEmptyPath}) != 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const std::string path, user_path(task, name));
  if (path.empty() && (flags & AtFlag::kEmptyPath) != 0) {
    FL_TRY_ASSIGN(OpenFile * file, any_file(task, static_cast<uint32_t>(dirfd)));
    return zero_or(file->chown(caller_of(task), uid, gid));
  }
  FL_TRY_ASSIGN(const At at, at_directory(task, dirfd, path));
  return zero_or(kernel.vfs().chown(at, path, uid, gid, follow_unless((flags & AtFlag::kSymlinkNoFollow) != 0)));
}

// 16-bit ids: all ones stays "unchanged". Linux: low2highuid.
uint32_t wide_id(uint32_t id) { return (id & 0xffff) == 0xffff ? ~uint32_t{0} : id & 0xffff; }

Result<uint32_t> truncate_path(Kernel& kernel, Task& task, VirtAddr name, int64_t size) {
  if (size < 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const std::string path, user_path(task, name));
  return zero_or(kernel.vfs().truncate(at_cwd(task), path, static_cast<uint64_t>(size)));
}

Result<uint32_t> truncate_fd(Task& task, uint32_t fd, int64_t size) {
  if (size < 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(OpenFile * file, file_for_io(task, fd));
  FL_TRY_ASSIGN(const FileStat stat, file->stat());
  if (!stat.is_regular() || !file->writable()) {
    return fail(Errno::kEINVAL);
  }
  return zero_or(file->truncate(static_cast<uint64_t>(size)));
}

// Linux: do_mknodat, may_mknod.
Result<uint32_t> mknod_at(Kernel& kernel, Task& task, int32_t dirfd, VirtAddr name, uint32_t mode) {
  uint32_t type = mode & FileMode::kTypeMask;
  switch (type) {
    case 0:
      type = FileMode::kRegular;
      break;
    case FileMode::kRegular:
    case FileMode::kCharacter:
    case FileMode::kBlock:
    case FileMode::kFifo:
    case FileMode::kSocket:
      break;
    case FileMode::kDirectory:
      return fail(Errno::kEPERM);
    default:
      return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const Named where, named(task, dirfd, name));
  return zero_or(kernel.vfs().mknod(where.at, where.path, type | (mode & FileMode::kPermissions & ~task.fs->umask)));
}

Result<uint32_t> sync_fd(Task& task, uint32_t fd) {
  FL_TRY_ASSIGN(OpenFile * file, file_for_io(task, fd));
  return zero_or(file->sync());
}

}  // namespace

Result<uint32_t> sys_mkdir(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return mkdir_at(kernel, task, kAtFdCwd, args.ptr(0), args[1]);
}
Result<uint32_t> sys_mkdirat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return mkdir_at(kernel, task, args.s(0), args.ptr(1), args[2]);
}
Result<uint32_t> sys_rmdir(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return remove_at(kernel, task, kAtFdCwd, args.ptr(0), RemoveKind::kDirectory);
}
Result<uint32_t> sys_unlink(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return remove_at(kernel, task, kAtFdCwd, args.ptr(0), RemoveKind::kFile);
}
Result<uint32_t> sys_unlinkat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if ((args[2] & ~uint32_t{AtFlag::kRemoveDir}) != 0) {
    return fail(Errno::kEINVAL);
  }
  return remove_at(kernel, task, args.s(0), args.ptr(1), args[2] != 0 ? RemoveKind::kDirectory : RemoveKind::kFile);
}

Result<uint32_t> sys_rename(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return rename_at(kernel, task, kAtFdCwd, args.ptr(0), kAtFdCwd, args.ptr(1), 0);
}
Result<uint32_t> sys_renameat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return rename_at(kernel, task, args.s(0), args.ptr(1), args.s(2), args.ptr(3), 0);
}
Result<uint32_t> sys_renameat2(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return rename_at(kernel, task, args.s(0), args.ptr(1), args.s(2), args.ptr(3), args[4]);
}

Result<uint32_t> sys_link(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return link_at(kernel, task, kAtFdCwd, args.ptr(0), kAtFdCwd, args.ptr(1), 0);
}
Result<uint32_t> sys_linkat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return link_at(kernel, task, args.s(0), args.ptr(1), args.s(2), args.ptr(3), args[4]);
}
Result<uint32_t> sys_symlink(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return symlink_at(kernel, task, args.ptr(0), kAtFdCwd, args.ptr(1));
}
Result<uint32_t> sys_symlinkat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return symlink_at(kernel, task, args.ptr(0), args.s(1), args.ptr(2));
}
Result<uint32_t> sys_mknod(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return mknod_at(kernel, task, kAtFdCwd, args.ptr(0), args[1]);
}
Result<uint32_t> sys_mknodat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return mknod_at(kernel, task, args.s(0), args.ptr(1), args[2]);
}

Result<uint32_t> sys_chmod(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return chmod_at(kernel, task, kAtFdCwd, args.ptr(0), args[1]);
}
Result<uint32_t> sys_fchmodat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return chmod_at(kernel, task, args.s(0), args.ptr(1), args[2]);
}
Result<uint32_t> sys_fchmod(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(OpenFile * file, file_for_io(task, args[0]));
  return zero_or(file->chmod(caller_of(task), args[1] & FileMode::kPermissions));
}

Result<uint32_t> sys_chown(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return chown_at(kernel, task, kAtFdCwd, args.ptr(0), wide_id(args[1]), wide_id(args[2]), 0);
}
Result<uint32_t> sys_lchown(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return chown_at(kernel, task, kAtFdCwd, args.ptr(0), wide_id(args[1]), wide_id(args[2]), AtFlag::kSymlinkNoFollow);
}
Result<uint32_t> sys_fchown(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(OpenFile * file, file_for_io(task, args[0]));
  return zero_or(file->chown(caller_of(task), wide_id(args[1]), wide_id(args[2])));
}
Result<uint32_t> sys_chown32(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return chown_at(kernel, task, kAtFdCwd, args.ptr(0), args[1], args[2], 0);
}
Result<uint32_t> sys_lchown32(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return chown_at(kernel, task, kAtFdCwd, args.ptr(0), args[1], args[2], AtFlag::kSymlinkNoFollow);
}
Result<uint32_t> sys_fchown32(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(OpenFile * file, file_for_io(task, args[0]));
  return zero_or(file->chown(caller_of(task), args[1], args[2]));
}
Result<uint32_t> sys_fchownat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return chown_at(kernel, task, args.s(0), args.ptr(1), args[2], args[3], args[4]);
}

Result<uint32_t> sys_truncate(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return truncate_path(kernel, task, args.ptr(0), args.s(1));
}
Result<uint32_t> sys_truncate64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return truncate_path(kernel, task, args.ptr(0), static_cast<int64_t>(args.u64(1)));
}
Result<uint32_t> sys_ftruncate(Kernel&, Task& task, const SyscallArgs& args) {
  return truncate_fd(task, args[0], args.s(1));
}
Result<uint32_t> sys_ftruncate64(Kernel&, Task& task, const SyscallArgs& args) {
  return truncate_fd(task, args[0], static_cast<int64_t>(args.u64(1)));
}

// fd, mode, offset (two words), length (two words).
Result<uint32_t> sys_fallocate(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(OpenFile * file, file_for_io(task, args[0]));
  const auto offset = static_cast<int64_t>(args.u64(2));
  const auto length = static_cast<int64_t>(args.u64(4));
  if (offset < 0 || length <= 0) {
    return fail(Errno::kEINVAL);
  }
  if (!file->writable()) {
    return fail(Errno::kEBADF);
  }
  if (offset > std::numeric_limits<int64_t>::max() - length) {
    return fail(Errno::kEFBIG);
  }
  return zero_or(file->allocate(args[1], static_cast<uint64_t>(offset), static_cast<uint64_t>(length)));
}

Result<uint32_t> sys_fsync(Kernel&, Task& task, const SyscallArgs& args) { return sync_fd(task, args[0]); }
Result<uint32_t> sys_fdatasync(Kernel&, Task& task, const SyscallArgs& args) { return sync_fd(task, args[0]); }
// fd, offset (two words), length (two words; 0: to the end), flags. What write() stores is written at once; here it is
// the pages of the range that shared mappings have stored into.
Result<uint32_t> sys_sync_file_range(Kernel&, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kWrite = 2, kValid = 7;
  FL_TRY_ASSIGN(OpenFile * file, file_for_io(task, args[0]));
  const auto offset = static_cast<int64_t>(args.u64(1));
  const auto length = static_cast<int64_t>(args.u64(3));
  if ((args[5] & ~kValid) != 0 || offset < 0 || length < 0 || offset > std::numeric_limits<int64_t>::max() - length) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const FileStat stat, file->stat());
  if (!stat.is_regular() && !stat.is_directory() && !stat.is_symlink() && stat.type() != FileMode::kBlock) {
    return fail(Errno::kESPIPE);
  }
  const auto mapped = file->mapped_file();
  if ((args[5] & kWrite) == 0 || !mapped) {
    return 0;
  }
  const auto first = static_cast<uint64_t>(offset) >> kPageShift;
  const uint64_t last =
      length == 0 ? std::numeric_limits<uint64_t>::max() : static_cast<uint64_t>(offset + length - 1) >> kPageShift;
  return zero_or((*mapped)->mapping->write_back(first, last));
}
Result<uint32_t> sys_sync(Kernel& kernel, Task&, const SyscallArgs&) {
  kernel.vfs().host().inodes().write_back_all();
  kernel.memory().disk().wait_idle();
  return 0;
}
Result<uint32_t> sys_syncfs(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY(file_for_io(task, args[0]));
  kernel.vfs().host().inodes().write_back_all();
  kernel.memory().disk().wait_idle();
  return 0;
}

}  // namespace fl::guest
