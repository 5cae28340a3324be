// Opening, closing and duplicating descriptors. Linux counterparts: fs/open.c, fs/file.c.

#include "guest/fs/path.hpp"
#include "guest/fs/tmpfs/tmpfs_file.hpp"
#include "guest/signal/send.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/file_wait.hpp"
#include "guest/syscall/syscall.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kValidOpenFlags = OpenFlag::kAccessMode | OpenFlag::kCreate | OpenFlag::kExclusive |
                                     OpenFlag::kNoCtty | OpenFlag::kTruncate | OpenFlag::kAppend | OpenFlag::kNonBlock |
                                     OpenFlag::kSync | OpenFlag::kAsync | OpenFlag::kDirect | OpenFlag::kLargeFile |
                                     OpenFlag::kDirectory | OpenFlag::kNoFollow | OpenFlag::kNoAtime |
                                     OpenFlag::kCloseOnExec | OpenFlag::kPath | OpenFlag::kTmpFileBit;

// The end of an open: the file has a descriptor as soon as it need not wait for the other side of a FIFO.
Result<uint32_t> finish_open(Kernel& kernel, Task& task, std::shared_ptr<OpenFile> file, uint32_t flags) {
  if (file->open_waits()) {
    if (signal_pending(task)) {
      return fail(kRestartSys);
    }
    return sleep_on_file(kernel, task, std::move(file), "open");
  }
  return task.files->install(std::move(file), close_on_exec(flags), descriptor_limit(task));
}

Result<uint32_t> open_file(Kernel& kernel, Task& task, int32_t dirfd, VirtAddr name, uint32_t flags, uint32_t mode) {
  flags &= kValidOpenFlags;
  if (task.wait.resumed && task.wait.file != nullptr) {
    return finish_open(kernel, task, std::exchange(task.wait.file, nullptr), flags);
  }
  if ((flags & OpenFlag::kTmpFileBit) != 0) {
    const bool whole = (flags & OpenFlag::kDirectory) != 0 && (flags & OpenFlag::kCreate) == 0;
    if (!whole || (flags & OpenFlag::kAccessMode) == OpenFlag::kReadOnly) {
      return fail(Errno::kEINVAL);
    }
  }
  if ((flags & OpenFlag::kPath) != 0) {
    flags &= OpenFlag::kPath | OpenFlag::kDirectory | OpenFlag::kNoFollow | OpenFlag::kCloseOnExec;
  }
  FL_TRY_ASSIGN(const std::string path, user_path(task, name));
  // A file must not be made if there is no descriptor for it.
  FL_TRY(task.files->lowest_free(descriptor_limit(task), 0));
  FL_TRY_ASSIGN(const At at, at_directory(task, dirfd, path));
  const uint32_t create_mode = mode & FileMode::kPermissions & ~task.fs->umask;
  FL_TRY_ASSIGN(std::shared_ptr<OpenFile> file, kernel.vfs().open(at, path, flags, create_mode));
  // Somebody may wait for this side of a FIFO.
  wake_waiters(*file);
  return finish_open(kernel, task, std::move(file), flags);
}

Result<uint32_t> duplicate_to(Task& task, uint32_t from, uint32_t to, CloseOnExec close_on_exec) {
  std::shared_ptr<OpenFile> file = task.files->share(from);
  if (file == nullptr) {
    return fail(Errno::kEBADF);
  }
  FL_TRY(task.files->install_at(to, std::move(file), close_on_exec, descriptor_limit(task)));
  return to;
}

}  // namespace

Result<uint32_t> sys_open(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return open_file(kernel, task, kAtFdCwd, args.ptr(0), args[1], args[2]);
}
Result<uint32_t> sys_openat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return open_file(kernel, task, args.s(0), args.ptr(1), args[2], args[3]);
}
Result<uint32_t> sys_creat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return open_file(kernel, task, kAtFdCwd, args.ptr(0), OpenFlag::kCreate | OpenFlag::kWriteOnly | OpenFlag::kTruncate,
                   args[1]);
}

// dirfd, path, struct open_how, its size. Linux: do_sys_openat2, build_open_flags.
Result<uint32_t> sys_openat2(Kernel& kernel, Task& task, const SyscallArgs& args) {
  struct OpenHow {
    uint64_t flags, mode, resolve;
  };
  if (task.wait.resumed && task.wait.file != nullptr) {
    FL_TRY_ASSIGN(const auto again, task.user().get<OpenHow>(args.ptr(2)));
    return finish_open(kernel, task, std::exchange(task.wait.file, nullptr), static_cast<uint32_t>(again.flags));
  }
  if (args[3] < sizeof(OpenHow)) {
    return fail(Errno::kEINVAL);
  }
  if (args[3] > kPageSize) {
    return fail(Errno::kE2BIG);
  }
  FL_TRY_ASSIGN(const auto how, task.user().get_struct<OpenHow>(args.ptr(2), args[3]));
  constexpr uint32_t kPathFlags =
      OpenFlag::kPath | OpenFlag::kDirectory | OpenFlag::kNoFollow | OpenFlag::kCloseOnExec | OpenFlag::kLargeFile;
  const auto flags = static_cast<uint32_t>(how.flags);
  const auto resolve = static_cast<uint32_t>(how.resolve);
  const bool tmpfile = (flags & OpenFlag::kTmpFileBit) != 0;
  const bool makes = (flags & OpenFlag::kCreate) != 0 || tmpfile;
  const bool both_scopes = (resolve & Resolve::kBeneath) != 0 && (resolve & Resolve::kInRoot) != 0;
  if ((how.flags & ~uint64_t{kValidOpenFlags}) != 0 || (how.resolve & ~uint64_t{Resolve::kAll}) != 0 || both_scopes ||
      (makes ? (how.mode & ~uint64_t{FileMode::kPermissions}) != 0 : how.mode != 0) ||
      ((flags & OpenFlag::kPath) != 0 && (flags & ~kPathFlags) != 0)) {
    return fail(Errno::kEINVAL);
  }
  if (resolve == 0 || tmpfile) {
    return open_file(kernel, task, args.s(0), args.ptr(1), flags, static_cast<uint32_t>(how.mode));
  }
  if ((resolve & Resolve::kCached) != 0) {
    return fail(Errno::kEAGAIN);  // nothing is known without asking the file system
  }
  FL_TRY_ASSIGN(const std::string path, user_path(task, args.ptr(1)));
  FL_TRY(task.files->lowest_free(descriptor_limit(task), 0));
  const bool scoped = (resolve & (Resolve::kBeneath | Resolve::kInRoot)) != 0;
  FL_TRY_ASSIGN(const At at, at_directory(task, args.s(0), scoped ? std::string_view(".") : path));
  const uint32_t create_mode = static_cast<uint32_t>(how.mode) & ~task.fs->umask;
  FL_TRY_ASSIGN(auto file, kernel.vfs().open_scoped(at, path, flags, create_mode, resolve));
  wake_waiters(*file);
  return finish_open(kernel, task, std::move(file), flags);
}

Result<uint32_t> sys_close(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY(task.files->close(args[0]));
  return 0;
}

Result<uint32_t> sys_close_range(Kernel&, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kUnshare = 2, kCloseOnExec = 4;
  if (args[0] > args[1] || (args[2] & ~(kUnshare | kCloseOnExec)) != 0) {
    return fail(Errno::kEINVAL);
  }
  if ((args[2] & kUnshare) != 0) {
    FL_TRY_ASSIGN(task.files, task.files->clone());
  }
  const auto open = static_cast<uint32_t>(task.files->entries().size());
  for (uint32_t fd = args[0]; fd < open && fd <= args[1]; ++fd) {
    FdTable::Entry* const entry = task.files->entry(fd);
    if (entry == nullptr) {
      continue;
    }
    if ((args[2] & kCloseOnExec) != 0) {
      entry->close_on_exec = CloseOnExec::kYes;
    } else {
      static_cast<void>(task.files->close(fd));
    }
  }
  return 0;
}

Result<uint32_t> sys_dup(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY(any_file(task, args[0]));
  return task.files->install(task.files->share(args[0]), CloseOnExec::kNo, descriptor_limit(task));
}
Result<uint32_t> sys_dup2(Kernel&, Task& task, const SyscallArgs& args) {
  if (args[0] == args[1]) {
    FL_TRY(any_file(task, args[0]));
    return args[0];
  }
  return duplicate_to(task, args[0], args[1], CloseOnExec::kNo);
}
Result<uint32_t> sys_dup3(Kernel&, Task& task, const SyscallArgs& args) {
  if ((args[2] & ~uint32_t{OpenFlag::kCloseOnExec}) != 0 || args[0] == args[1]) {
    return fail(Errno::kEINVAL);
  }
  return duplicate_to(task, args[0], args[1], close_on_exec(args[2]));
}

Result<uint32_t> sys_umask(Kernel&, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kUmaskBits = 0777;
  return std::exchange(task.fs->umask, args[0] & kUmaskBits);
}

// Linux: memfd_create.
Result<uint32_t> sys_memfd_create(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kCloseOnExec = 1, kAllowSealing = 2, kNoExecSeal = 8, kExec = 16;
  constexpr uint32_t kMaxName = 249;  // NAME_MAX without "memfd:"
  const uint32_t executable = kernel.profile().memfd_seals_exec ? kNoExecSeal | kExec : 0u;
  if ((args[1] & ~(kCloseOnExec | kAllowSealing | executable)) != 0 ||
      (args[1] & (kNoExecSeal | kExec)) == (kNoExecSeal | kExec)) {
    return fail(Errno::kEINVAL);
  }
  const uint32_t seals = (args[1] & kNoExecSeal) != 0     ? uint32_t{Seal::kExec}
                         : (args[1] & kAllowSealing) != 0 ? 0u
                                                          : uint32_t{Seal::kSeal};
  FL_TRY_ASSIGN(const std::string name, task.user().string(args.ptr(0), kMaxName + 1, Errno::kEINVAL));
  Vfs& vfs = kernel.vfs();
  FL_TRY(task.files->lowest_free(descriptor_limit(task), 0));
  FL_TRY_ASSIGN(const auto path, vfs.make_path("/memfd:" + name));
  path->deleted = true;
  FL_TRY_ASSIGN(std::shared_ptr<OpenFile> file, make_memfd(vfs.unnamed_files(), caller_of(task), path, seals));
  return task.files->install(std::move(file), (args[1] & kCloseOnExec) != 0 ? CloseOnExec::kYes : CloseOnExec::kNo,
                             descriptor_limit(task));
}

}  // namespace fl::guest
