// fcntl and ioctl. Linux counterparts: fs/fcntl.c, fs/ioctl.c.
//
// Simplified: no leases, no SIGIO.
#include "guest/fs/ioctl.hpp"
#include "guest/fs/pipe.hpp"
#include "guest/fs/tmpfs/tmpfs_file.hpp"
#include "guest/syscall/file_lock.hpp"
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

// The commands of record locks.
Result<uint32_t> lock_command(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const uint32_t command = args[1];
  const LockOwner owner = command >= Fcntl::kOfdGetLk ? LockOwner::kFile : LockOwner::kProcess;
  const LockLayout layout = command <= Fcntl::kSetLkWait ? LockLayout::k32 : LockLayout::k64;
  const bool gets = command == Fcntl::kGetLk || command == Fcntl::kGetLk64 || command == Fcntl::kOfdGetLk;
  const bool waits = command == Fcntl::kSetLkWait || command == Fcntl::kSetLkWait64 || command == Fcntl::kOfdSetLkWait;
  const LockCall call = gets ? LockCall::kGet : waits ? LockCall::kSetWait : LockCall::kSet;
  return record_lock(kernel, task, args[0], args.ptr(2), call, owner, layout);
}

}  // namespace

Result<uint32_t> sys_fcntl64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (task.wait.resumed && task.wait.file != nullptr) {
    return lock_command(kernel, task, args);  // its descriptor may be closed by now
  }
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
    case Fcntl::kSetLk:
    case Fcntl::kSetLkWait:
    case Fcntl::kGetLk64:
    case Fcntl::kSetLk64:
    case Fcntl::kSetLkWait64:
    case Fcntl::kOfdGetLk:
    case Fcntl::kOfdSetLk:
    case Fcntl::kOfdSetLkWait:
      return lock_command(kernel, task, args);
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
      if (shmem == nullptr) {
        return fail(command == Fcntl::kAddSeals && !file->writable() ? Errno::kEPERM : Errno::kEINVAL);
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
