// flock, and the locks of fcntl: reading the argument, waiting, answering. Linux counterpart: fs/locks.c.
//
// A call that waits is made again, with the same argument, when something was unlocked.
#include "guest/syscall/file_lock.hpp"

#include <limits>

#include "guest/fs/lock_table.hpp"
#include "guest/signal/send.hpp"
#include "guest/syscall/file_wait.hpp"
#include "guest/syscall/syscall.hpp"

namespace fl::guest {
namespace {

constexpr int64_t kOffsetMax = std::numeric_limits<int64_t>::max();

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

// Either of them.
struct LockArgument {
  int16_t type, whence;
  int64_t start, length;
  int32_t pid;
};

Result<LockArgument> get_argument(Task& task, VirtAddr from, LockLayout layout) {
  if (layout == LockLayout::k32) {
    FL_TRY_ASSIGN(const auto lock, task.user().get<Flock32>(from));
    return LockArgument{lock.type, lock.whence, lock.start, lock.length, lock.pid};
  }
  FL_TRY_ASSIGN(const auto lock, task.user().get<Flock64>(from));
  return LockArgument{lock.type, lock.whence, lock.start, lock.length, lock.pid};
}

// Linux: posix_lock_to_flock. EOVERFLOW.
Status put_argument(Task& task, VirtAddr to, LockLayout layout, const LockArgument& lock) {
  if (layout == LockLayout::k64) {
    return task.user().put(to, Flock64{lock.type, lock.whence, lock.start, lock.length, lock.pid});
  }
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (lock.start > kMost || lock.length > kMost - lock.start + 1) {
    return fail(Errno::kEOVERFLOW);
  }
  return task.user().put(to, Flock32{lock.type, lock.whence, static_cast<int32_t>(lock.start),
                                     static_cast<int32_t>(lock.length), lock.pid});
}

// Linux: flock64_to_posix_lock.
Result<LockRange> lock_range(OpenFile& file, const LockArgument& lock) {
  int64_t start = 0;
  switch (lock.whence) {
    case static_cast<int16_t>(Whence::kSet):
      break;
    case static_cast<int16_t>(Whence::kCurrent):
      start = static_cast<int64_t>(file.pos);
      break;
    case static_cast<int16_t>(Whence::kEnd): {
      FL_TRY_ASSIGN(const FileStat stat, file.stat());
      start = static_cast<int64_t>(stat.size);
      break;
    }
    default:
      return fail(Errno::kEINVAL);
  }
  if (lock.start > kOffsetMax - start) {
    return fail(Errno::kEOVERFLOW);
  }
  start += lock.start;
  if (start < 0) {
    return fail(Errno::kEINVAL);
  }
  if (lock.length > 0) {
    if (lock.length - 1 > kOffsetMax - start) {
      return fail(Errno::kEOVERFLOW);
    }
    return LockRange{static_cast<uint64_t>(start), static_cast<uint64_t>(start + lock.length - 1)};
  }
  if (lock.length < 0) {
    if (start + lock.length < 0) {
      return fail(Errno::kEINVAL);
    }
    return LockRange{static_cast<uint64_t>(start + lock.length), static_cast<uint64_t>(start - 1)};
  }
  return LockRange{static_cast<uint64_t>(start), LockRange::kEnd};
}

// The file of a call that may have slept.
Result<std::shared_ptr<OpenFile>> locked_file(Task& task, uint32_t fd) {
  if (task.wait.resumed && task.wait.file != nullptr) {
    return std::exchange(task.wait.file, nullptr);
  }
  FL_TRY(file_for_io(task, fd));
  return task.files->share(fd);
}

}  // namespace

Result<uint32_t> record_lock(Kernel& kernel, Task& task, uint32_t fd, VirtAddr argument, LockCall call, LockOwner owner,
                             LockLayout layout) {
  LockTable& locks = kernel.vfs().locks();
  FL_TRY_ASSIGN(const std::shared_ptr<OpenFile> file, locked_file(task, fd));
  const bool by_process = owner == LockOwner::kProcess;
  const void* const who = by_process ? static_cast<const void*>(task.files.get()) : file.get();
  if (task.wait.resumed) {
    locks.remove_waiter(who);
  }
  FL_TRY_ASSIGN(LockArgument lock, get_argument(task, argument, layout));
  if (lock.type < 0 || lock.type > static_cast<int16_t>(LockType::kUnlock) ||
      (call == LockCall::kGet && lock.type == static_cast<int16_t>(LockType::kUnlock))) {
    return fail(Errno::kEINVAL);
  }
  FileLock request;
  FL_TRY_ASSIGN(request.range, lock_range(*file, lock));
  if (!by_process && lock.pid != 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const FileStat stat, file->stat());
  request.key = LockKey::of(stat);
  request.owner = who;
  request.type = static_cast<LockType>(lock.type);
  request.pid = by_process ? static_cast<int32_t>(task.tgid) : -1;
  if (call == LockCall::kGet) {
    const FileLock* const found = locks.find_conflict(request);
    if (found == nullptr) {
      lock.type = static_cast<int16_t>(LockType::kUnlock);
      FL_TRY(put_argument(task, argument, layout, lock));
      return 0;
    }
    const bool to_end = found->range.last == LockRange::kEnd;
    FL_TRY(put_argument(task, argument, layout,
                        {static_cast<int16_t>(found->type), static_cast<int16_t>(Whence::kSet),
                         static_cast<int64_t>(found->range.first),
                         to_end ? 0 : static_cast<int64_t>(found->range.last - found->range.first + 1), found->pid}));
    return 0;
  }
  if ((request.type == LockType::kRead && !file->readable()) ||
      (request.type == LockType::kWrite && !file->writable())) {
    return fail(Errno::kEBADF);
  }
  if (!by_process) {
    file->release_locks_at_end(locks);
  }
  const Status done = locks.set(request);
  if (done || done.error() != Errno::kEAGAIN || call != LockCall::kSetWait) {
    return zero_or(done);
  }
  if (signal_pending(task)) {
    return fail(kRestartSys);
  }
  if (by_process) {
    if (locks.deadlocks(request)) {
      return fail(Errno::kEDEADLK);
    }
    FL_TRY(locks.add_waiter(request));
  }
  return sleep_on_queue(kernel, task, locks.waiting, file, "fcntl", fd);
}

Result<uint32_t> sys_flock(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kShared = 1, kExclusive = 2, kNonBlocking = 4, kUnlock = 8, kMandatory = 32;
  if ((args[1] & kMandatory) != 0) {
    return fail(Errno::kEOPNOTSUPP);
  }
  const uint32_t operation = args[1] & ~kNonBlocking;
  if (operation != kShared && operation != kExclusive && operation != kUnlock) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const std::shared_ptr<OpenFile> file, locked_file(task, args[0]));
  FL_TRY_ASSIGN(const FileStat stat, file->stat());
  LockTable& locks = kernel.vfs().locks();
  file->release_locks_at_end(locks);
  const LockType type = operation == kShared      ? LockType::kRead
                        : operation == kExclusive ? LockType::kWrite
                                                  : LockType::kUnlock;
  const Status done = locks.flock(LockKey::of(stat), *file, type, static_cast<int32_t>(task.tgid));
  if (done || done.error() != Errno::kEAGAIN || (args[1] & kNonBlocking) != 0) {
    return zero_or(done);
  }
  if (signal_pending(task)) {
    return fail(kRestartSys);
  }
  return sleep_on_queue(kernel, task, locks.waiting, file, "flock", args[0]);
}

}  // namespace fl::guest
