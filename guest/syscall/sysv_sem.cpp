// semget, semctl, semop and semtimedop: arguments, structures, sleeping. Linux counterpart: the system calls of
// ipc/sem.c. The work is in guest/ipc/sem.hpp.
#include <optional>

#include "guest/ipc/ipc.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/sysv_calls.hpp"
#include "guest/syscall/time_types.hpp"

namespace fl::guest {
namespace {

struct SemCommand {
  enum Number : int32_t {
    kGetPid = 11,
    kGetVal = 12,
    kGetAll = 13,
    kGetNcnt = 14,
    kGetZcnt = 15,
    kSetVal = 16,
    kSetAll = 17,
    kStat = 18,
    kInfo = 19,
    kStatAny = 20,
  };
};

struct Semid64 {
  Ipc64Perm perm;
  SplitTime operation, change;
  uint32_t count, unused[2];
};
static_assert(sizeof(Semid64) == 64);
struct OldSemid {
  OldIpcPerm perm;
  uint32_t operation, change, pointers[4];
  uint16_t count, pad;
};
static_assert(sizeof(OldSemid) == 44);
// struct seminfo.
struct SemInfo {
  int32_t map, arrays, all, undos, per_array, operations, undo_entries, undo_bytes, max_value, max_adjust;
};

Result<uint32_t> info(Kernel& kernel, Task& task, int32_t command, VirtAddr buffer) {
  constexpr int32_t kUndoBytes = 20, kUndoEntries = 500;  // SEMUSZ, SEMUME
  constexpr int32_t kAll = 1024000000;                    // SEMMNS
  SemArrays& sem = kernel.ipc().sysv.sem;
  const SemArrays::Limits& now = sem.limits();
  const bool used = command == SemCommand::kInfo;
  const SemInfo out{.map = kAll,
                    .arrays = static_cast<int32_t>(now.arrays),
                    .all = static_cast<int32_t>(now.all),
                    .undos = kAll,
                    .per_array = static_cast<int32_t>(now.per_array),
                    .operations = static_cast<int32_t>(now.operations),
                    .undo_entries = kUndoEntries,
                    .undo_bytes = used ? static_cast<int32_t>(sem.ids().in_use()) : kUndoBytes,
                    .max_value = kSemMaxValue,
                    .max_adjust = used ? static_cast<int32_t>(sem.used()) : kSemMaxAdjust};
  FL_TRY(task.user().put(buffer, out));
  return sem.ids().max_index();
}

// Linux: semctl_stat, copy_semid_to_user.
Result<uint32_t> stat(Kernel& kernel, Task& task, int32_t id, int32_t command, VirtAddr buffer, IpcVersion version) {
  IpcIds& ids = kernel.ipc().sysv.sem.ids();
  IpcPerm* const found = command == IpcCommand::kStat ? ids.find(id) : ids.find_index(id);
  if (found == nullptr) {
    return fail(Errno::kEINVAL);
  }
  if (command != SemCommand::kStatAny && !ipc_allows(*found, task.cred, kIpcRead)) {
    return fail(Errno::kEACCES);
  }
  const auto& array = static_cast<const SemArray&>(*found);
  if (version == IpcVersion::k64) {
    Semid64 out{};
    out.perm = perm64_of(array);
    out.operation = split(array.operation_time);
    out.change = split(array.change_time);
    out.count = array.size();
    FL_TRY(task.user().put(buffer, out));
  } else {
    OldSemid out{};
    out.perm = old_perm_of(array);
    out.operation = static_cast<uint32_t>(array.operation_time);
    out.change = static_cast<uint32_t>(array.change_time);
    out.count = static_cast<uint16_t>(array.size());
    FL_TRY(task.user().put(buffer, out));
  }
  return command == IpcCommand::kStat ? 0 : static_cast<uint32_t>(array.id);
}

// GETALL and SETALL. ENOMEM: for the values meanwhile.
Result<uint32_t> all_values(Kernel& kernel, Task& task, SemArray& array, int32_t command, VirtAddr user_values) {
  vm::SlabVector<uint16_t> values{vm::SlabStlAllocator<uint16_t>(kernel.memory().slab())};
  FL_TRY(vm::with_memory([&] { values.resize(array.size()); }));
  if (command == SemCommand::kSetAll) {
    FL_TRY(task.user().read(std::as_writable_bytes(std::span(values)), user_values));
    return zero_or(kernel.ipc().sysv.sem.set_all(task, array, values));
  }
  for (uint32_t i = 0; i < array.size(); ++i) {
    values[i] = static_cast<uint16_t>(array.sems[i].value);
  }
  return zero_or(task.user().write(user_values, std::as_bytes(std::span(values))));
}

// Linux: semctl_main.
Result<uint32_t> values(Kernel& kernel, Task& task, int32_t id, int32_t number, int32_t command, VirtAddr argument) {
  FL_TRY_ASSIGN(SemArray* const array,
                kernel.ipc().sysv.sem.find(task, id, command == SemCommand::kSetAll ? kIpcWrite : kIpcRead));
  if (command == SemCommand::kGetAll || command == SemCommand::kSetAll) {
    return all_values(kernel, task, *array, command, argument);
  }
  if (number < 0 || static_cast<uint32_t>(number) >= array->size()) {
    return fail(Errno::kEINVAL);
  }
  const auto which = static_cast<uint32_t>(number);
  switch (command) {
    case SemCommand::kGetPid:
      return array->sems[which].pid;
    case SemCommand::kGetNcnt:
      return SemArrays::count_waiters(*array, which, SemArrays::WaitsFor::kIncrease);
    case SemCommand::kGetZcnt:
      return SemArrays::count_waiters(*array, which, SemArrays::WaitsFor::kZero);
    default:
      return static_cast<uint32_t>(array->sems[which].value);
  }
}

// The call goes on: somebody has done its operations, or a signal or the end of the time came before.
Result<uint32_t> end_of_wait(Kernel& kernel, Task& task) {
  SemWaiter& waiter = task.sem_waiter;
  waiter.ops.reset();
  if (waiter.result) {
    return zero_or(*waiter.result);
  }
  const bool late = task.wait.deadline_ns && kernel.time().now_ns() >= *task.wait.deadline_ns;
  return fail(late ? Errno::kEAGAIN : Errno::kEINTR);
}

// None: no timeout, or (inner) not a time.
Result<std::optional<std::optional<uint64_t>>> read_timeout(Task& task, VirtAddr from, TimeSize size) {
  if (from == VirtAddr(0)) {
    return std::optional<std::optional<uint64_t>>{};
  }
  if (size == TimeSize::k64) {
    FL_TRY_ASSIGN(const auto time, task.user().get<Timespec64>(from));
    return std::optional(to_ns(time));
  }
  FL_TRY_ASSIGN(const auto time, task.user().get<Timespec32>(from));
  return std::optional(to_ns(time));
}

}  // namespace

Result<uint32_t> ipc_semget(Kernel& kernel, Task& task, int32_t key, int32_t count, uint32_t flags) {
  FL_TRY_ASSIGN(const int32_t id, kernel.ipc().sysv.sem.get(task, key, count, flags));
  return static_cast<uint32_t>(id);
}

Result<uint32_t> ipc_semctl(Kernel& kernel, Task& task, int32_t id, int32_t number, int32_t command, uint32_t argument,
                            IpcVersion version) {
  SemArrays& sem = kernel.ipc().sysv.sem;
  const VirtAddr pointer(argument);
  if (id < 0) {
    return fail(Errno::kEINVAL);
  }
  switch (command) {
    case IpcCommand::kInfo:
    case SemCommand::kInfo:
      return info(kernel, task, command, pointer);
    case IpcCommand::kStat:
    case SemCommand::kStat:
    case SemCommand::kStatAny:
      return stat(kernel, task, id, command, pointer, version);
    case SemCommand::kGetAll:
    case SemCommand::kGetVal:
    case SemCommand::kGetPid:
    case SemCommand::kGetNcnt:
    case SemCommand::kGetZcnt:
    case SemCommand::kSetAll:
      return values(kernel, task, id, number, command, pointer);
    case SemCommand::kSetVal:
      return zero_or(sem.set_value(task, id, number, static_cast<int32_t>(argument)));
    case IpcCommand::kSet: {
      FL_TRY_ASSIGN(const IpcChange change,
                    read_change(kernel, task, pointer, version, sizeof(Semid64), sizeof(OldSemid)));
      FL_TRY_ASSIGN(IpcPerm* const found, sem.ids().control(id, task.cred));
      FL_TRY(ipc_update(*found, change));
      static_cast<SemArray&>(*found).change_time = real_seconds(kernel);
      return 0;
    }
    case IpcCommand::kRmid:
      return zero_or(sem.remove(task, id));
    default:
      return fail(Errno::kEINVAL);
  }
}

// Linux: do_semtimedop.
Result<uint32_t> ipc_semtimedop(Kernel& kernel, Task& task, int32_t id, VirtAddr from, uint32_t count, VirtAddr timeout,
                                TimeSize size) {
  SemArrays& sem = kernel.ipc().sysv.sem;
  if (task.wait.resumed) {
    return end_of_wait(kernel, task);
  }
  FL_TRY_ASSIGN(const auto time, read_timeout(task, timeout, size));
  if (count > sem.limits().operations) {
    return fail(Errno::kE2BIG);
  }
  if (count == 0) {
    return fail(Errno::kEINVAL);
  }
  SemOps ops{vm::SlabStlAllocator<SemOp>(kernel.memory().slab())};
  FL_TRY(vm::with_memory([&] { ops.resize(count); }));
  FL_TRY(task.user().read(std::as_writable_bytes(std::span(ops)), from));
  if (id < 0 || (time && !*time)) {
    return fail(Errno::kEINVAL);
  }
  const uint64_t now = kernel.time().now_ns();
  FL_TRY_ASSIGN(const bool done, sem.operate(task, id, std::move(ops)));
  if (done) {
    return 0;
  }
  const std::optional<uint64_t> deadline = time ? std::optional(now + **time) : std::nullopt;
  return kernel.sleep(task, "semop", static_cast<uint32_t>(id), deadline);
}

Result<uint32_t> sys_semget(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return ipc_semget(kernel, task, args.s(0), args.s(1), args[2]);
}
Result<uint32_t> sys_semctl(Kernel& kernel, Task& task, const SyscallArgs& args) {
  // A 64-bit kernel looks past the version for 32-bit programs. Linux: compat_ksys_semctl.
  const int32_t command = kernel_is_64bit(kernel) ? args.s(2) & ~kIpc64 : args.s(2);
  return ipc_semctl(kernel, task, args.s(0), args.s(1), command, args[3], IpcVersion::k64);
}
Result<uint32_t> sys_semtimedop_time64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return ipc_semtimedop(kernel, task, args.s(0), args.ptr(1), args[2], args.ptr(3), TimeSize::k64);
}

}  // namespace fl::guest
