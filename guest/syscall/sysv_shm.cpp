// shmget, shmat, shmdt, shmctl: arguments and structures. Linux counterpart: the system calls of ipc/shm.c. The work is
// in guest/ipc/shm.hpp.
#include <algorithm>
#include <limits>

#include "guest/ipc/ipc.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/sysv_calls.hpp"

namespace fl::guest {
namespace {

struct ShmCommand {
  enum Number : int32_t { kLock = 11, kUnlock = 12, kStat = 13, kInfo = 14, kStatAny = 15 };
};

struct Shmid64 {
  Ipc64Perm perm;
  uint32_t bytes;
  SplitTime attach, detach, change;
  uint32_t creator_pid, last_pid, attached, unused[2];
};
static_assert(sizeof(Shmid64) == 84);
struct OldShmid {
  OldIpcPerm perm;
  uint32_t bytes, attach, detach, change;
  uint16_t creator_pid, last_pid, attached, unused;
  uint32_t unused2, unused3;
};
static_assert(sizeof(OldShmid) == 48);
// struct shminfo64; the old one ends with `pages`.
struct ShmLimits {
  uint32_t max_bytes, min_bytes, segments, segments_of_process, pages;
};
struct ShmLimits64 : ShmLimits {
  uint32_t unused[4];
};
static_assert(sizeof(ShmLimits64) == 36);
// struct shm_info.
struct ShmInfo {
  uint32_t used, total, resident, swapped, swap_attempts, swap_successes;
};

Result<uint32_t> limits(Kernel& kernel, Task& task, VirtAddr buffer, IpcVersion version) {
  ShmSegments& shm = kernel.ipc().sysv.shm;
  const ShmSegments::Limits& now = shm.limits();
  constexpr uint64_t kMostOld = std::numeric_limits<int32_t>::max();
  const bool clamped = version == IpcVersion::kOld || kernel_is_64bit(kernel);
  ShmLimits64 out{};
  out.max_bytes = static_cast<uint32_t>(clamped ? std::min(now.max_bytes, kMostOld) : now.max_bytes);
  out.min_bytes = 1;
  out.segments = out.segments_of_process = now.segments;
  out.pages = static_cast<uint32_t>(now.all_pages);
  if (version == IpcVersion::k64) {
    FL_TRY(task.user().put(buffer, out));
  } else {
    FL_TRY(task.user().put(buffer, static_cast<const ShmLimits&>(out)));
  }
  return shm.ids().max_index();
}

Result<uint32_t> info(Kernel& kernel, Task& task, VirtAddr buffer) {
  ShmSegments& shm = kernel.ipc().sysv.shm;
  const ShmSegments::Usage usage = shm.usage();
  const ShmInfo out{.used = shm.ids().in_use(),
                    .total = static_cast<uint32_t>(shm.total_pages()),
                    .resident = static_cast<uint32_t>(usage.resident),
                    .swapped = static_cast<uint32_t>(usage.swapped),
                    .swap_attempts = 0,
                    .swap_successes = 0};
  FL_TRY(task.user().put(buffer, out));
  return shm.ids().max_index();
}

// Linux: shmctl_stat, copy_shmid_to_user.
Result<uint32_t> stat(Kernel& kernel, Task& task, int32_t id, int32_t command, VirtAddr buffer, IpcVersion version) {
  IpcIds& ids = kernel.ipc().sysv.shm.ids();
  IpcPerm* const found = command == IpcCommand::kStat ? ids.find(id) : ids.find_index(id);
  if (found == nullptr) {
    return fail(Errno::kEINVAL);
  }
  if (command != ShmCommand::kStatAny && !ipc_allows(*found, task.cred, kIpcRead)) {
    return fail(Errno::kEACCES);
  }
  const auto& segment = static_cast<const ShmSegment&>(*found);
  if (version == IpcVersion::k64) {
    Shmid64 out{};
    out.perm = perm64_of(segment);
    out.bytes = segment.bytes;
    out.attach = split(segment.attach_time);
    out.detach = split(segment.detach_time);
    out.change = split(segment.change_time);
    out.creator_pid = segment.creator_pid;
    out.last_pid = segment.last_pid;
    out.attached = segment.attached;
    FL_TRY(task.user().put(buffer, out));
  } else {
    OldShmid out{};
    out.perm = old_perm_of(segment);
    out.bytes = segment.bytes;
    out.attach = static_cast<uint32_t>(segment.attach_time);
    out.detach = static_cast<uint32_t>(segment.detach_time);
    out.change = static_cast<uint32_t>(segment.change_time);
    out.creator_pid = static_cast<uint16_t>(segment.creator_pid);
    out.last_pid = static_cast<uint16_t>(segment.last_pid);
    out.attached = static_cast<uint16_t>(segment.attached);
    FL_TRY(task.user().put(buffer, out));
  }
  return command == IpcCommand::kStat ? 0 : static_cast<uint32_t>(segment.id);
}

}  // namespace

Result<uint32_t> ipc_shmget(Kernel& kernel, Task& task, int32_t key, uint32_t bytes, uint32_t flags) {
  FL_TRY_ASSIGN(const int32_t id, kernel.ipc().sysv.shm.get(task, key, bytes, flags));
  return static_cast<uint32_t>(id);
}

Result<uint32_t> ipc_shmat(Kernel& kernel, Task& task, int32_t id, VirtAddr addr, uint32_t flags) {
  FL_TRY_ASSIGN(const VirtAddr where, kernel.ipc().sysv.shm.attach(task, id, addr, flags));
  return where.value();
}

Result<uint32_t> ipc_shmdt(Kernel& kernel, Task& task, VirtAddr addr) {
  return zero_or(kernel.ipc().sysv.shm.detach(task, addr));
}

Result<uint32_t> ipc_shmctl(Kernel& kernel, Task& task, int32_t id, int32_t command, VirtAddr buffer,
                            IpcVersion version) {
  ShmSegments& shm = kernel.ipc().sysv.shm;
  if (command < 0 || id < 0) {
    return fail(Errno::kEINVAL);
  }
  switch (command) {
    case IpcCommand::kInfo:
      return limits(kernel, task, buffer, version);
    case ShmCommand::kInfo:
      return info(kernel, task, buffer);
    case IpcCommand::kStat:
    case ShmCommand::kStat:
    case ShmCommand::kStatAny:
      return stat(kernel, task, id, command, buffer, version);
    case IpcCommand::kSet: {
      FL_TRY_ASSIGN(const IpcChange change,
                    read_change(kernel, task, buffer, version, sizeof(Shmid64), sizeof(OldShmid)));
      FL_TRY_ASSIGN(IpcPerm* const found, shm.ids().control(id, task.cred));
      FL_TRY(ipc_update(*found, change));
      static_cast<ShmSegment&>(*found).change_time = real_seconds(kernel);
      return 0;
    }
    case IpcCommand::kRmid:
      return zero_or(shm.remove(task, id));
    case ShmCommand::kLock:
      return zero_or(shm.lock(task, id));
    case ShmCommand::kUnlock:
      return zero_or(shm.unlock(task, id));
    default:
      return fail(Errno::kEINVAL);
  }
}

Result<uint32_t> sys_shmget(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return ipc_shmget(kernel, task, args.s(0), args[1], args[2]);
}
Result<uint32_t> sys_shmat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return ipc_shmat(kernel, task, args.s(0), args.ptr(1), args[2]);
}
Result<uint32_t> sys_shmdt(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return ipc_shmdt(kernel, task, args.ptr(0));
}
Result<uint32_t> sys_shmctl(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return ipc_shmctl(kernel, task, args.s(0), args.s(1), args.ptr(2), IpcVersion::k64);
}

}  // namespace fl::guest
