// ipc(2), through which all System V calls of i386 can be made, and what the calls share. Linux counterpart:
// ipc/syscall.c (ksys_ipc, compat_ksys_ipc), util.c.
#include <array>

#include "guest/syscall/syscall.hpp"
#include "guest/syscall/sysv_calls.hpp"

namespace fl::guest {
namespace {

// linux/ipc.h.
enum class IpcCall : uint32_t {
  kSemop = 1,
  kSemget = 2,
  kSemctl = 3,
  kSemtimedop = 4,
  kMsgsnd = 11,
  kMsgrcv = 12,
  kMsgget = 13,
  kMsgctl = 14,
  kShmat = 21,
  kShmdt = 22,
  kShmget = 23,
  kShmctl = 24,
};

uint16_t low_id(uint32_t id) {
  constexpr uint32_t kOverflow = 65534;
  return static_cast<uint16_t>(id > 0xffff ? kOverflow : id);
}

// Where the message goes and its type stand in memory in the old form. Linux: struct ipc_kludge.
struct Kludge {
  uint32_t buffer;
  int32_t type;
};

Result<uint32_t> old_msgrcv(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const bool negative = args.s(1) < 0 || args.s(2) < 0;
  if ((kernel_is_64bit(kernel) && negative) || args[4] == 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto kludge, task.user().get<Kludge>(args.ptr(4)));
  return ipc_msgrcv(kernel, task, args.s(1), VirtAddr(kludge.buffer), args[2], kludge.type, args[3]);
}

}  // namespace

Ipc64Perm perm64_of(const IpcPerm& perm) {
  Ipc64Perm out{};
  out.key = perm.key;
  out.uid = perm.uid;
  out.gid = perm.gid;
  out.cuid = perm.cuid;
  out.cgid = perm.cgid;
  out.mode = static_cast<uint16_t>(perm.mode);
  out.sequence = static_cast<uint16_t>(perm.sequence());
  return out;
}

OldIpcPerm old_perm_of(const IpcPerm& perm) {
  return {.key = perm.key,
          .uid = low_id(perm.uid),
          .gid = low_id(perm.gid),
          .cuid = low_id(perm.cuid),
          .cgid = low_id(perm.cgid),
          .mode = static_cast<uint16_t>(perm.mode),
          .sequence = static_cast<uint16_t>(perm.sequence())};
}

Result<IpcChange> read_change(Kernel& kernel, Task& task, VirtAddr from, IpcVersion version, uint32_t bytes64,
                              uint32_t bytes_old) {
  constexpr uint32_t kMostBytes = 96;
  std::array<std::byte, kMostBytes> rest;
  const bool whole = !kernel_is_64bit(kernel);
  vm::UserAccess user = task.user();
  IpcChange change;
  uint32_t done = 0;
  if (version == IpcVersion::k64) {
    FL_TRY_ASSIGN(const auto perm, user.get<Ipc64Perm>(from));
    change = {perm.uid, perm.gid, perm.mode};
    done = sizeof perm;
  } else {
    FL_TRY_ASSIGN(const auto perm, user.get<OldIpcPerm>(from));
    change = {perm.uid, perm.gid, perm.mode};
    done = sizeof perm;
  }
  const uint32_t bytes = version == IpcVersion::k64 ? bytes64 : bytes_old;
  if (whole) {
    FL_TRY(user.read(std::span(rest).first(bytes - done), from + done));
  }
  return change;
}

// call, first, second, third, pointer, fifth.
Result<uint32_t> sys_ipc(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const uint32_t version = args[0] >> 16;
  const int32_t first = args.s(1), second = args.s(2);
  const uint32_t third = args[3];
  const VirtAddr pointer = args.ptr(4);
  switch (static_cast<IpcCall>(args[0] & 0xffff)) {
    case IpcCall::kSemop:
      return ipc_semtimedop(kernel, task, first, pointer, args[2], VirtAddr(0), TimeSize::k32);
    case IpcCall::kSemtimedop:
      return ipc_semtimedop(kernel, task, first, pointer, args[2], args.ptr(5), TimeSize::k32);
    case IpcCall::kSemget:
      return ipc_semget(kernel, task, first, second, third);
    case IpcCall::kSemctl: {
      if (pointer == VirtAddr(0)) {
        return fail(Errno::kEINVAL);
      }
      FL_TRY_ASSIGN(const auto argument, task.user().get<uint32_t>(pointer));
      int32_t command = args.s(3);
      const IpcVersion structures = take_version(command);
      return ipc_semctl(kernel, task, first, second, command, argument, structures);
    }
    case IpcCall::kMsgsnd:
      return ipc_msgsnd(kernel, task, first, pointer, args[2], third);
    case IpcCall::kMsgrcv:
      return version == 0 ? old_msgrcv(kernel, task, args)
                          : ipc_msgrcv(kernel, task, first, pointer, args[2], args.s(5), third);
    case IpcCall::kMsgget:
      return ipc_msgget(kernel, task, first, args[2]);
    case IpcCall::kMsgctl: {
      int32_t command = second;
      const IpcVersion structures = take_version(command);
      return ipc_msgctl(kernel, task, first, command, pointer, structures);
    }
    case IpcCall::kShmat: {
      if (version == 1) {
        return fail(Errno::kEINVAL);
      }
      FL_TRY_ASSIGN(const uint32_t where, ipc_shmat(kernel, task, first, pointer, args[2]));
      FL_TRY(task.user().put(args.ptr(3), where));
      return 0;
    }
    case IpcCall::kShmdt:
      return ipc_shmdt(kernel, task, pointer);
    case IpcCall::kShmget:
      return ipc_shmget(kernel, task, first, args[2], third);
    case IpcCall::kShmctl: {
      int32_t command = second;
      const IpcVersion structures = take_version(command);
      return ipc_shmctl(kernel, task, first, command, pointer, structures);
    }
    default:
      return fail(Errno::kENOSYS);
  }
}

}  // namespace fl::guest
