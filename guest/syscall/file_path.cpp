// Asking about paths, the working directory, and listing directories. Linux counterparts: fs/open.c (faccessat, chdir),
// fs/stat.c (readlinkat), fs/d_path.c (getcwd), fs/readdir.c.
#include <cstring>
#include <limits>

#include "guest/fs/path.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"

namespace fl::guest {
namespace {

Result<uint32_t> access_at(Kernel& kernel, Task& task, int32_t dirfd, VirtAddr name, uint32_t mode, uint32_t flags) {
  constexpr uint32_t kModes = 7;
  constexpr uint32_t kValid = AtFlag::kEffectiveAccess | AtFlag::kSymlinkNoFollow | AtFlag::kEmptyPath;
  if ((mode & ~kModes) != 0 || (flags & ~kValid) != 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const std::string path, user_path(task, name));
  // The question is asked for the real user unless AT_EACCESS is given. Linux: access_override_creds.
  Credentials real = task.cred;
  real.fsuid = real.uid;
  real.fsgid = real.gid;
  const auto as_asked = [&](At at) {
    at.caller.cred = (flags & AtFlag::kEffectiveAccess) != 0 ? &task.cred : &real;
    return at;
  };
  if (path.empty() && (flags & AtFlag::kEmptyPath) != 0) {
    FL_TRY_ASSIGN(OpenFile * file, any_file(task, static_cast<uint32_t>(dirfd)));
    return zero_or(kernel.vfs().access(as_asked(at_cwd(task)), file->path()->text(), mode, Follow::kNo));
  }
  FL_TRY_ASSIGN(const At at, at_directory(task, dirfd, path));
  return zero_or(kernel.vfs().access(as_asked(at), path, mode, follow_unless((flags & AtFlag::kSymlinkNoFollow) != 0)));
}

Result<uint32_t> readlink_at(Kernel& kernel, Task& task, int32_t dirfd, VirtAddr name, VirtAddr to, uint32_t size) {
  if (static_cast<int32_t>(size) <= 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const std::string path, user_path(task, name));
  FL_TRY_ASSIGN(const At at, at_directory(task, dirfd, path));
  FL_TRY_ASSIGN(const std::string target, kernel.vfs().readlink(at, path));
  const auto length = static_cast<uint32_t>(std::min<size_t>(target.size(), size));
  FL_TRY(task.user().write(to, std::as_bytes(std::span(target)).first(length)));
  return length;
}

// Puts entries into user memory one after the other. Linux: struct getdents_callback.
class UserEntries : public DirectorySink {
 public:
  UserEntries(Task& task, VirtAddr to, uint32_t size) : user_(task.user()), to_(to), left_(size) {}

  // The bytes that were filled, or why nothing could be.
  Result<uint32_t> result(const Status& status) const {
    return filled_ > 0 ? Result<uint32_t>(filled_)
           : status    ? error_ ? fail(*error_) : Result<uint32_t>(0u)
                       : fail(status.error());
  }

 protected:
  bool put(std::span<const std::byte> record) {
    if (record.size() > left_) {
      return refuse(Errno::kEINVAL);
    }
    if (!user_.write(to_ + filled_, record)) {
      return refuse(Errno::kEFAULT);
    }
    filled_ += static_cast<uint32_t>(record.size());
    left_ -= static_cast<uint32_t>(record.size());
    return true;
  }
  bool refuse(Errno error) {
    error_ = error;
    return false;
  }

 private:
  vm::UserAccess user_;
  VirtAddr to_;
  uint32_t left_;
  uint32_t filled_ = 0;
  std::optional<Errno> error_;
};

constexpr size_t aligned(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

// struct linux_dirent64: ino, offset, length, type, name.
class Entries64 final : public UserEntries {
 public:
  using UserEntries::UserEntries;
  bool add(const DirectoryEntry& entry) override {
    constexpr size_t kNameOffset = 19;
    const auto length = static_cast<uint16_t>(aligned(kNameOffset + entry.name.size() + 1, sizeof(uint64_t)));
    std::array<std::byte, 512> record{};
    std::memcpy(record.data(), &entry.ino, 8);
    std::memcpy(record.data() + 8, &entry.next, 8);
    std::memcpy(record.data() + 16, &length, 2);
    record[18] = static_cast<std::byte>(entry.type);
    std::memcpy(record.data() + kNameOffset, entry.name.data(), std::min(entry.name.size(), kMaxName));
    return put(std::span(record).first(length));
  }

 private:
  static constexpr size_t kMaxName = 255;
};

// struct linux_dirent of i386: ino, offset, length, name, and the type in the last byte.
class Entries32 final : public UserEntries {
 public:
  using UserEntries::UserEntries;
  bool add(const DirectoryEntry& entry) override {
    constexpr size_t kNameOffset = 10;
    constexpr size_t kMaxName = 255;
    if (entry.ino > std::numeric_limits<uint32_t>::max()) {
      return refuse(Errno::kEOVERFLOW);
    }
    const auto length = static_cast<uint16_t>(aligned(kNameOffset + entry.name.size() + 2, sizeof(uint32_t)));
    std::array<std::byte, 512> record{};
    const auto ino = static_cast<uint32_t>(entry.ino);
    const auto next = static_cast<uint32_t>(entry.next);
    std::memcpy(record.data(), &ino, 4);
    std::memcpy(record.data() + 4, &next, 4);
    std::memcpy(record.data() + 8, &length, 2);
    std::memcpy(record.data() + kNameOffset, entry.name.data(), std::min(entry.name.size(), kMaxName));
    record[length - 1u] = static_cast<std::byte>(entry.type);
    return put(std::span(record).first(length));
  }
};

template <typename Entries>
Result<uint32_t> getdents(Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(OpenFile * file, file_for_io(task, args[0]));
  if (!file->is_directory()) {
    return fail(Errno::kENOTDIR);
  }
  Entries entries(task, args.ptr(1), args[2]);
  const Status status = file->list(entries);
  return entries.result(status);
}

}  // namespace

Result<uint32_t> sys_access(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return access_at(kernel, task, kAtFdCwd, args.ptr(0), args[1], 0);
}
Result<uint32_t> sys_faccessat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return access_at(kernel, task, args.s(0), args.ptr(1), args[2], 0);
}
Result<uint32_t> sys_faccessat2(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return access_at(kernel, task, args.s(0), args.ptr(1), args[2], args[3]);
}

Result<uint32_t> sys_readlink(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return readlink_at(kernel, task, kAtFdCwd, args.ptr(0), args.ptr(1), args[2]);
}
Result<uint32_t> sys_readlinkat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return readlink_at(kernel, task, args.s(0), args.ptr(1), args.ptr(2), args[3]);
}

Result<uint32_t> sys_getdents(Kernel&, Task& task, const SyscallArgs& args) { return getdents<Entries32>(task, args); }
Result<uint32_t> sys_getdents64(Kernel&, Task& task, const SyscallArgs& args) {
  return getdents<Entries64>(task, args);
}

Result<uint32_t> sys_getcwd(Kernel&, Task& task, const SyscallArgs& args) {
  const LivePath& cwd = *task.fs->cwd;
  if (cwd.deleted) {
    return fail(Errno::kENOENT);
  }
  const auto bytes = static_cast<uint32_t>(cwd.text().size() + 1);
  if (bytes > kPathMax) {
    return fail(Errno::kENAMETOOLONG);
  }
  if (bytes > args[1]) {
    return fail(Errno::kERANGE);
  }
  FL_TRY(task.user().write(args.ptr(0), std::as_bytes(std::span(cwd.name.c_str(), bytes))));
  return bytes;
}

Result<uint32_t> sys_chdir(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const std::string path, user_path(task, args.ptr(0)));
  FL_TRY_ASSIGN(task.fs->cwd, kernel.vfs().directory(at_cwd(task), path));
  return 0;
}

// Nobody has CAP_SYS_CHROOT here: all processes have the same root directory.
Result<uint32_t> sys_chroot(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const std::string path, user_path(task, args.ptr(0)));
  FL_TRY(kernel.vfs().directory(at_cwd(task), path));
  return fail(Errno::kEPERM);
}

Result<uint32_t> sys_fchdir(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kExecuteOk = 1;
  FL_TRY_ASSIGN(OpenFile * file, any_file(task, args[0]));
  if (!file->is_directory()) {
    return fail(Errno::kENOTDIR);
  }
  if (!file->path()->deleted) {
    FL_TRY(kernel.vfs().access(at_cwd(task), file->path()->text(), kExecuteOk, Follow::kNo));
  }
  task.fs->cwd = file->path();
  return 0;
}

}  // namespace fl::guest
