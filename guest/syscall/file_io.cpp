// read, write and their vector and positional forms, and lseek. Linux counterparts: fs/read_write.c, lib/iov_iter.c.
//
// Simplified: of the flags of preadv2 and pwritev2 RWF_NOWAIT is not there (EOPNOTSUPP).
#include <limits>
#include <optional>
#include <vector>

#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"

namespace fl::guest {
namespace {

enum class Direction : bool { kRead, kWrite };

using File = std::shared_ptr<OpenFile>;

// The file of a call, which must be able to move bytes in this direction, with an offset at a given place.
Result<File> file_for(const Task& task, uint32_t fd, Direction direction, bool at_offset) {
  FL_TRY_ASSIGN(File file, file_of_call(task, fd));
  if (at_offset && !file->seekable()) {
    return fail(Errno::kESPIPE);
  }
  const bool allowed = direction == Direction::kRead ? file->readable() : file->writable();
  return allowed ? Result<File>(std::move(file)) : fail(Errno::kEBADF);
}

// One read or write of a buffer, at the file's position or at a given one. A write that may block goes on until all is
// written, an error or a signal comes; what was written before counts then.
Result<uint32_t> transfer(Kernel& kernel, Task& task, const File& file, uint32_t fd, Direction direction,
                          IoBuffer& buffer, std::optional<int64_t> offset) {
  uint64_t own = static_cast<uint64_t>(offset.value_or(0));
  uint64_t& at = offset ? own : file->pos;
  if (direction == Direction::kRead) {
    return finish_transfer(kernel, task, file, fd, "read", file->read(buffer, at));
  }
  const uint32_t before = task.wait.progress;
  buffer.advance(before);
  const Result<uint32_t> written = file->write(buffer, at);
  if (written) {
    task.wait.progress = before + *written;
    // A file that could take more stopped for another reason: bad memory, or none.
    const bool full = file->wait_queue() != nullptr && (file->poll() & PollEvent::kOut) == 0;
    if (buffer.left() == 0 || !full || file->nonblocking()) {
      return finish_transfer(kernel, task, file, fd, "write", task.wait.progress);
    }
    wake_waiters(*file);
  }
  const Result<uint32_t> result =
      finish_transfer(kernel, task, file, fd, "write", written ? Result<uint32_t>(fail(Errno::kEAGAIN)) : written);
  const bool ends_early = !result && result.error() != kCallSleeps && task.wait.progress > 0;
  return ends_early ? Result<uint32_t>(task.wait.progress) : result;
}

Result<uint32_t> simple(Kernel& kernel, Task& task, const SyscallArgs& args, Direction direction,
                        std::optional<int64_t> offset) {
  if (offset && *offset < 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const File file, file_for(task, args[0], direction, offset.has_value()));
  if (!vm::UserAccess::access_ok(args.ptr(1), args[2])) {
    return fail(Errno::kEFAULT);
  }
  vm::UserAccess user = task.user();
  UserBuffer buffer(user, args.ptr(1), std::min(args[2], kMaxTransfer));
  return transfer(kernel, task, file, args[0], direction, buffer, offset);
}

Result<uint32_t> vectored(Kernel& kernel, Task& task, const SyscallArgs& args, Direction direction,
                          std::optional<int64_t> offset) {
  if (offset && *offset < 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const File file, file_for(task, args[0], direction, offset.has_value()));
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(std::vector<UserSegment> segments, import_segments(user, args.ptr(1), args[2]));
  UserBuffer buffer(user, std::move(segments));
  if (buffer.left() == 0) {
    return 0;
  }
  return transfer(kernel, task, file, args[0], direction, buffer, offset);
}

// preadv2 and pwritev2: offset -1 is the file's own position. Linux: kiocb_set_rw_flags.
Result<uint32_t> vectored_with_flags(Kernel& kernel, Task& task, const SyscallArgs& args, Direction direction) {
  constexpr uint32_t kHighPriority = 1, kDataSync = 2, kSync = 4, kAppend = 0x10;
  constexpr uint32_t kKnown = kHighPriority | kDataSync | kSync | kAppend;
  const auto given = static_cast<int64_t>(args.u64(3));
  const auto offset = given == -1 ? std::nullopt : std::optional(given);
  if ((args[5] & ~kKnown) != 0) {
    return fail(Errno::kEOPNOTSUPP);
  }
  if (args[5] == 0 || direction == Direction::kRead) {
    return vectored(kernel, task, args, direction, offset);
  }
  FL_TRY(file_for_io(task, args[0]));
  const std::shared_ptr<OpenFile> file = task.files->share(args[0]);
  const uint32_t flags = file->flags();
  file->set_flags((args[5] & kAppend) != 0 ? flags | OpenFlag::kAppend : flags);
  const auto written = vectored(kernel, task, args, direction, offset);
  file->set_flags(flags);
  if (written && (args[5] & (kDataSync | kSync)) != 0) {
    FL_TRY(file->sync());
  }
  return written;
}

}  // namespace

Result<uint32_t> sys_read(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return simple(kernel, task, args, Direction::kRead, std::nullopt);
}
Result<uint32_t> sys_write(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return simple(kernel, task, args, Direction::kWrite, std::nullopt);
}
Result<uint32_t> sys_pread64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return simple(kernel, task, args, Direction::kRead, static_cast<int64_t>(args.u64(3)));
}
Result<uint32_t> sys_pwrite64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return simple(kernel, task, args, Direction::kWrite, static_cast<int64_t>(args.u64(3)));
}
Result<uint32_t> sys_readv(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return vectored(kernel, task, args, Direction::kRead, std::nullopt);
}
Result<uint32_t> sys_writev(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return vectored(kernel, task, args, Direction::kWrite, std::nullopt);
}
Result<uint32_t> sys_preadv(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return vectored(kernel, task, args, Direction::kRead, static_cast<int64_t>(args.u64(3)));
}
Result<uint32_t> sys_pwritev(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return vectored(kernel, task, args, Direction::kWrite, static_cast<int64_t>(args.u64(3)));
}
Result<uint32_t> sys_preadv2(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return vectored_with_flags(kernel, task, args, Direction::kRead);
}
Result<uint32_t> sys_pwritev2(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return vectored_with_flags(kernel, task, args, Direction::kWrite);
}

Result<uint32_t> sys_lseek(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(OpenFile * file, file_for_io(task, args[0]));
  if (args[2] > Whence::kHole) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const uint64_t pos, file->seek(args.s(1), args[2]));
  if (pos > static_cast<uint64_t>(std::numeric_limits<int32_t>::max())) {
    return fail(Errno::kEOVERFLOW);
  }
  return static_cast<uint32_t>(pos);
}

// fd, high word, low word, result, whence.
Result<uint32_t> sys_llseek(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(OpenFile * file, file_for_io(task, args[0]));
  if (args[4] > Whence::kHole) {
    return fail(Errno::kEINVAL);
  }
  const auto offset = static_cast<int64_t>(uint64_t{args[1]} << 32 | args[2]);
  FL_TRY_ASSIGN(const uint64_t pos, file->seek(offset, args[4]));
  FL_TRY(task.user().put(args.ptr(3), pos));
  return 0;
}

}  // namespace fl::guest
