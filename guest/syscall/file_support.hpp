// What the file calls share: descriptors and paths of their arguments, sleeping on a file, waking those who wait for
// one. Linux counterparts: fdget, getname, import_iovec, pipe_wait.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "guest/fs/fd_table.hpp"
#include "guest/fs/vfs.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"
#include "guest/task/wait_queue.hpp"

namespace fl::guest {

inline constexpr int32_t kAtFdCwd = -100;
// AT_* (linux/fcntl.h).
struct AtFlag {
  enum Bit : uint32_t {
    kSymlinkNoFollow = 0x100,
    kEffectiveAccess = 0x200,
    kRemoveDir = 0x200,
    kSymlinkFollow = 0x400,
    kNoAutomount = 0x800,
    kEmptyPath = 0x1000,
    kStatxSyncType = 0x6000,
  };
};
// Linux: MAX_RW_COUNT.
inline constexpr uint32_t kMaxTransfer = 0x7ffff000;

// The open file of a descriptor; EBADF. `file_for_io` refuses those opened with O_PATH too.
Result<OpenFile*> any_file(const Task& task, uint32_t fd);
Result<OpenFile*> file_for_io(const Task& task, uint32_t fd);

// A path argument. EFAULT, ENAMETOOLONG. An empty one is given as it is; the Vfs answers ENOENT.
Result<std::string> user_path(Task& task, VirtAddr from);
inline Caller caller_of(const Task& task) { return {task.tgid, task.tid, &task.cred}; }
At at_cwd(const Task& task);
// Where `path` starts: EBADF or ENOTDIR of `dirfd` only if it is relative.
Result<At> at_directory(const Task& task, int32_t dirfd, std::string_view path);

inline uint64_t descriptor_limit(const Task& task) { return task.group->limits[Rlimit::kNofile].current; }
inline CloseOnExec close_on_exec(uint32_t flags) {
  return (flags & OpenFlag::kCloseOnExec) != 0 ? CloseOnExec::kYes : CloseOnExec::kNo;
}
inline Follow follow_unless(bool no_follow) { return no_follow ? Follow::kNo : Follow::kYes; }

// The segments of a vector. EINVAL: too many, or a negative length; EFAULT. Linux: iovec_from_user.
Result<std::vector<UserSegment>> read_segments(vm::UserAccess& user, VirtAddr vector, uint32_t count);
// The same of the caller's own memory, together at most kMaxTransfer bytes. Linux: import_iovec.
Result<std::vector<UserSegment>> import_segments(vm::UserAccess& user, VirtAddr vector, uint32_t count);

// A value for eax from a Status.
inline Result<uint32_t> zero_or(const Status& status) { return status ? Result<uint32_t>(0u) : fail(status.error()); }

// The file that a call which may sleep works on, kept while it sleeps, even if another thread closes the descriptor.
// EBADF. Linux: fdget.
Result<std::shared_ptr<OpenFile>> file_of_call(const Task& task, uint32_t fd);
// After a read or write that may have changed what others wait for.
void wake_waiters(OpenFile& file, uint32_t events = WaitQueue::kAllEvents);
// Turns the answer of a read or write into that of the call: sleeps where the file would block, sends SIGPIPE, wakes
// others.
Result<uint32_t> finish_transfer(Kernel& kernel, Task& task, const std::shared_ptr<OpenFile>& file, uint32_t fd,
                                 const char* what, const Result<uint32_t>& result);

}  // namespace fl::guest
