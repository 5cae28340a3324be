// The System V calls that ipc(2) and the direct numbers share, and the structures of their i386 ABI in both versions.
// Linux counterparts: linux/ipc.h, shm.h, sem.h, msg.h (IPC_OLD) and asm-generic/{ipc,shm,msg}buf.h, asm/sembuf.h
// (IPC_64).
#pragma once

#include <cstdint>

#include "guest/ipc/ipc_ids.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"
#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"

namespace fl::guest {

// Which structures a control call uses. Linux: IPC_OLD, IPC_64.
enum class IpcVersion : uint8_t { kOld, k64 };
inline constexpr int32_t kIpc64 = 0x100;

// The two bits of a command that ipc(2) gives. Linux: ipc_parse_version.
inline IpcVersion take_version(int32_t& command) {
  const bool is_64 = (command & kIpc64) != 0;
  command &= ~kIpc64;
  return is_64 ? IpcVersion::k64 : IpcVersion::kOld;
}

struct Ipc64Perm {
  int32_t key;
  uint32_t uid, gid, cuid, cgid;
  uint16_t mode, pad1, sequence, pad2;
  uint32_t unused[2];
};
static_assert(sizeof(Ipc64Perm) == 36);
struct OldIpcPerm {
  int32_t key;
  uint16_t uid, gid, cuid, cgid, mode, sequence;
};
static_assert(sizeof(OldIpcPerm) == 16);

Ipc64Perm perm64_of(const IpcPerm& perm);
// Users and groups that have no 16-bit number are 65534. Linux: ipc64_perm_to_ipc_perm.
OldIpcPerm old_perm_of(const IpcPerm& perm);

// A time in two words, as all IPC_64 structures have it.
struct SplitTime {
  uint32_t low, high;
};
inline SplitTime split(int64_t seconds) {
  return {static_cast<uint32_t>(seconds), static_cast<uint32_t>(static_cast<uint64_t>(seconds) >> 32)};
}

// What IPC_SET reads, from a structure of `bytes64` or `bytes_old` bytes that begins with the rights: all of it on a
// 32-bit kernel, the rights only on a 64-bit one. EFAULT.
Result<IpcChange> read_change(Kernel& kernel, Task& task, VirtAddr from, IpcVersion version, uint32_t bytes64,
                              uint32_t bytes_old);

Result<uint32_t> ipc_shmat(Kernel& kernel, Task& task, int32_t id, VirtAddr addr, uint32_t flags);
Result<uint32_t> ipc_shmdt(Kernel& kernel, Task& task, VirtAddr addr);
Result<uint32_t> ipc_shmget(Kernel& kernel, Task& task, int32_t key, uint32_t bytes, uint32_t flags);
Result<uint32_t> ipc_shmctl(Kernel& kernel, Task& task, int32_t id, int32_t command, VirtAddr buffer,
                            IpcVersion version);

enum class TimeSize : uint8_t { k32, k64 };
// `timeout` 0: none. A sleeping call.
Result<uint32_t> ipc_semtimedop(Kernel& kernel, Task& task, int32_t id, VirtAddr ops, uint32_t count, VirtAddr timeout,
                                TimeSize size);
Result<uint32_t> ipc_semget(Kernel& kernel, Task& task, int32_t key, int32_t count, uint32_t flags);
// `argument`: union semun.
Result<uint32_t> ipc_semctl(Kernel& kernel, Task& task, int32_t id, int32_t number, int32_t command, uint32_t argument,
                            IpcVersion version);

// Sleeping calls.
Result<uint32_t> ipc_msgsnd(Kernel& kernel, Task& task, int32_t id, VirtAddr buffer, uint32_t bytes, uint32_t flags);
Result<uint32_t> ipc_msgrcv(Kernel& kernel, Task& task, int32_t id, VirtAddr buffer, uint32_t bytes, int32_t type,
                            uint32_t flags);
Result<uint32_t> ipc_msgget(Kernel& kernel, Task& task, int32_t key, uint32_t flags);
Result<uint32_t> ipc_msgctl(Kernel& kernel, Task& task, int32_t id, int32_t command, VirtAddr buffer,
                            IpcVersion version);

}  // namespace fl::guest
