// fcntl, flock and ioctl. Linux counterparts: fs/fcntl.c, fs/locks.c, fs/ioctl.c.
//
// Simplified: locks are answered as for the only process that ever locks: every lock is granted. No leases, no SIGIO.
#include "guest/fs/ioctl.hpp"
#include "guest/fs/pipe.hpp"
#include "guest/fs/tmpfs/tmpfs_file.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"

namespace fl::guest {
namespace {

struct Fcntl {
  enum Command : uint32_t {
    kDupFd = 0,
    kGetFd = 1,
    kSetFd = 2,
    kGetFl = 3,
    kSetFl = 4,
    kGetLk = 5,
    kSetLk = 6,
    kSetLkWait = 7,
    kSetOwn = 8,
    kGetOwn = 9,
    kGetLk64 = 12,
    kSetLk64 = 13,
    kSetLkWait64 = 14,
    kOfdGetLk = 36,
    kOfdSetLk = 37,
    kOfdSetLkWait = 38,
    kDupFdCloseOnExec = 1030,
    kSetPipeSize = 1031,
    kGetPipeSize = 1032,
    kAddSeals = 1033,
    kGetSeals = 1034,
  };
};
constexpr uint32_t kFdCloseOnExec = 1;

struct LockType {
  enum Value : int16_t { kRead = 0, kWrite = 1, kUnlock = 2 };
};
struct Flock32 {
  int16_t type, whence;
  int32_t start, length, pid;
};
struct [[gnu::packed]] Flock64 {
  int16_t type, whence;
  int64_t start, length;
  int32_t pid;
};
static_assert(sizeof(Flock32) == 16 && sizeof(Flock64) == 24);

template <typename Lock>
Result<uint32_t> lock_command(Task& task, const OpenFile& file, VirtAddr argument, bool query) {
  FL_TRY_ASSIGN(Lock lock, task.user().get<Lock>(argument));
  const bool known = lock.type >= LockType::kRead && lock.type <= LockType::kUnlock && lock.whence >= 0 &&
                     lock.whence <= static_cast<int16_t>(Whence::kEnd);
  if (!known || (query && lock.type == LockType::kUnlock)) {
    return fail(Errno::kEINVAL);
  }
  if (query) {
    lock.type = LockType::kUnlock;  // nobody is in the way
    FL_TRY(task.user().put(argument, lock));
    return 0;
  }
  const bool allowed =
      lock.type == LockType::kUnlock || (lock.type == LockType::kRead ? file.readable() : file.writable());
  return allowed ? Result<uint32_t>(0u) : fail(Errno::kEBADF);
}

Result<uint32_t> duplicate(Task& task, uint32_t fd, uint32_t lowest, CloseOnExec close_on_exec) {
  if (lowest >= descriptor_limit(task)) {
    return fail(Errno::kEINVAL);
  }
  return task.files->install(task.files->share(fd), close_on_exec, descriptor_limit(task), lowest);
}

// Those commands that an O_PATH descriptor may be given.
bool allowed_for_path(uint32_t command) {
  return command == Fcntl::kDupFd || command == Fcntl::kDupFdCloseOnExec || command == Fcntl::kGetFd ||
         command == Fcntl::kSetFd || command == Fcntl::kGetFl;
}

}  // namespace

Result<uint32_t> sys_fcntl64(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(OpenFile * file, any_file(task, args[0]));
  const uint32_t command = args[1];
  if (file->path_only() && !allowed_for_path(command)) {
    return fail(Errno::kEBADF);
  }
  FdTable::Entry& entry = *task.files->entry(args[0]);
  switch (command) {
    case Fcntl::kDupFd:
      return duplicate(task, args[0], args[2], CloseOnExec::kNo);
    case Fcntl::kDupFdCloseOnExec:
      return duplicate(task, args[0], args[2], CloseOnExec::kYes);
    case Fcntl::kGetFd:
      return entry.close_on_exec == CloseOnExec::kYes ? kFdCloseOnExec : 0;
    case Fcntl::kSetFd:
      entry.close_on_exec = (args[2] & kFdCloseOnExec) != 0 ? CloseOnExec::kYes : CloseOnExec::kNo;
      return 0;
    case Fcntl::kGetFl:
      return file->flags();
    case Fcntl::kSetFl:
      file->set_flags((file->flags() & ~OpenFlag::kSettable) | (args[2] & OpenFlag::kSettable));
      return 0;
    case Fcntl::kGetLk:
      return lock_command<Flock32>(task, *file, args.ptr(2), true);
    case Fcntl::kSetLk:
    case Fcntl::kSetLkWait:
      return lock_command<Flock32>(task, *file, args.ptr(2), false);
    case Fcntl::kGetLk64:
    case Fcntl::kOfdGetLk:
      return lock_command<Flock64>(task, *file, args.ptr(2), true);
    case Fcntl::kSetLk64:
    case Fcntl::kSetLkWait64:
    case Fcntl::kOfdSetLk:
    case Fcntl::kOfdSetLkWait:
      return lock_command<Flock64>(task, *file, args.ptr(2), false);
    case Fcntl::kGetOwn:
      return 0;
    case Fcntl::kGetPipeSize:
    case Fcntl::kSetPipeSize: {
      auto* const pipe = dynamic_cast<PipeEnd*>(file);
      if (pipe == nullptr) {
        return fail(Errno::kEBADF);
      }
      return command == Fcntl::kGetPipeSize ? pipe->size() : pipe->resize(args[2], caller_of(task));
    }
    case Fcntl::kAddSeals:
    case Fcntl::kGetSeals: {
      auto* const shmem = dynamic_cast<TmpfsFile*>(file);
      if (shmem == nullptr || (args[2] & ~Seal::kAll) != 0) {
        return fail(Errno::kEINVAL);
      }
      return command == Fcntl::kGetSeals ? Result<uint32_t>(shmem->seals()) : zero_or(shmem->add_seals(args[2]));
    }
    default:
      return fail(Errno::kEINVAL);
  }
}

// Linux: sys_fcntl knows the 64-bit commands not, compat_sys_fcntl refuses them.
Result<uint32_t> sys_fcntl(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const bool wide = (args[1] >= Fcntl::kGetLk64 && args[1] <= Fcntl::kSetLkWait64) ||
                    (args[1] >= Fcntl::kOfdGetLk && args[1] <= Fcntl::kOfdSetLkWait);
  return wide ? fail(Errno::kEINVAL) : sys_fcntl64(kernel, task, args);
}

Result<uint32_t> sys_flock(Kernel&, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kShared = 1, kExclusive = 2, kNonBlocking = 4, kUnlock = 8;
  const uint32_t operation = args[1] & ~kNonBlocking;
  if (operation != kShared && operation != kExclusive && operation != kUnlock) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY(file_for_io(task, args[0]));
  return 0;
}

Result<uint32_t> sys_ioctl(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(OpenFile * file, file_for_io(task, args[0]));
  vm::UserAccess user = task.user();
  switch (args[1]) {
    case Ioctl::kFioclex:
    case Ioctl::kFionclex:
      task.files->entry(args[0])->close_on_exec = args[1] == Ioctl::kFioclex ? CloseOnExec::kYes : CloseOnExec::kNo;
      return 0;
    case Ioctl::kFionbio: {
      FL_TRY_ASSIGN(const auto on, user.get<int32_t>(args.ptr(2)));
      file->set_flags(on != 0 ? file->flags() | OpenFlag::kNonBlock : file->flags() & ~OpenFlag::kNonBlock);
      return 0;
    }
    default:
      return file->ioctl(user, args[1], args.ptr(2));
  }
}

}  // namespace fl::guest
