// Record locks for fcntl. Linux counterparts: fcntl_setlk, fcntl_getlk (fs/locks.c).
#pragma once

#include <cstdint>

#include "guest/syscall/file_support.hpp"

namespace fl::guest {

// F_GETLK and F_OFD_GETLK; F_SETLK and F_OFD_SETLK; the same that wait.
enum class LockCall : uint8_t { kGet, kSet, kSetWait };
// Whose a record lock is: the process's, or the open file's (F_OFD_*).
enum class LockOwner : uint8_t { kProcess, kFile };
// The structure in user memory: struct flock or struct flock64 of i386.
enum class LockLayout : uint8_t { k32, k64 };

Result<uint32_t> record_lock(Kernel& kernel, Task& task, uint32_t fd, VirtAddr argument, LockCall call, LockOwner owner,
                             LockLayout layout);

}  // namespace fl::guest
