// Copying between files inside the kernel: sendfile and copy_file_range; and advice about file pages. Linux
// counterparts: do_sendfile (fs/read_write.c), generic_copy_file_range, mm/fadvise.c, mm/readahead.c.
//
// The bytes never touch user memory, so these calls take no page faults. Advice goes to the
// file's page cache.
#include <algorithm>
#include <array>

#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"
#include "vm/cache/readahead.hpp"

namespace fl::guest {
namespace {

constexpr size_t kBlock = 64 << 10;

// Copies up to `count` bytes; the positions advance by what was written. The error only if nothing was.
Result<uint32_t> copy_bytes(OpenFile& in, uint64_t& in_pos, OpenFile& out, uint64_t& out_pos, uint32_t count) {
  std::array<std::byte, kBlock> block;
  uint32_t done = 0;
  while (done < count) {
    uint64_t read_pos = in_pos;
    KernelBuffer to{std::span(block).first(std::min<size_t>(block.size(), count - done))};
    const auto got = in.read(to, read_pos);
    if (!got || *got == 0) {
      return done > 0 || got ? Result<uint32_t>(done) : fail(got.error());
    }
    KernelBuffer from{std::span(block).first(*got)};
    const auto put = out.write(from, out_pos);
    if (!put) {
      return done > 0 ? Result<uint32_t>(done) : fail(put.error());
    }
    in_pos += *put;
    done += *put;
    if (*put < *got) {
      break;
    }
  }
  return done;
}

template <typename Offset>
Result<uint32_t> sendfile(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const VirtAddr offset_at = args.ptr(2);
  Offset offset = 0;
  if (offset_at.value() != 0) {
    FL_TRY_ASSIGN(offset, task.user().template get<Offset>(offset_at));
  }
  FL_TRY_ASSIGN(OpenFile * in, file_for_io(task, args[1]));
  if (!in->readable()) {
    return fail(Errno::kEBADF);
  }
  if (offset_at.value() != 0 && !in->seekable()) {
    return fail(Errno::kESPIPE);
  }
  FL_TRY_ASSIGN(OpenFile * out, file_for_io(task, args[0]));
  if (!out->writable()) {
    return fail(Errno::kEBADF);
  }
  FL_TRY_ASSIGN(const FileStat stat, in->stat());
  if (offset < 0 || !stat.is_regular() || !in->seekable() || !in->can_splice_read() ||
      (out->flags() & OpenFlag::kAppend) != 0) {
    return fail(Errno::kEINVAL);
  }
  uint64_t from = offset_at.value() != 0 ? static_cast<uint64_t>(offset) : in->pos;
  const uint64_t start = from;
  // A host stream keeps its position in the host: pread would not move it.
  const bool own_position = offset_at.value() == 0;
  const auto moved = own_position && in->host_poll_fd() >= 0
                         ? copy_bytes(*in, in->pos, *out, out->pos, std::min(args[3], kMaxTransfer))
                         : copy_bytes(*in, from, *out, out->pos, std::min(args[3], kMaxTransfer));
  if (own_position && in->host_poll_fd() < 0) {
    in->pos = from;
  } else if (!own_position && from != start) {
    FL_TRY(task.user().put(offset_at, static_cast<Offset>(from)));
  }
  return finish_transfer(kernel, task, task.files->share(args[0]), args[0], "sendfile", moved);
}

// A position argument of copy_file_range: the file's own if the pointer is null.
struct Position {
  VirtAddr at;
  uint64_t value = 0;
};
Result<Position> position(Task& task, VirtAddr at, const OpenFile& file) {
  if (at.value() == 0) {
    return Position{at, file.pos};
  }
  FL_TRY_ASSIGN(const auto value, task.user().get<int64_t>(at));
  return value < 0 ? Result<Position>(fail(Errno::kEINVAL)) : Position{at, static_cast<uint64_t>(value)};
}
Status store(Task& task, const Position& position, OpenFile& file) {
  if (position.at.value() != 0) {
    return task.user().put(position.at, position.value);
  }
  file.pos = position.value;
  return {};
}

Result<uint32_t> advise(Task& task, uint32_t fd, uint64_t offset, int64_t length, uint32_t advice) {
  constexpr uint32_t kMaxAdvice = 5;
  FL_TRY_ASSIGN(OpenFile * file, file_for_io(task, fd));
  FL_TRY_ASSIGN(const FileStat stat, file->stat());
  if (stat.type() == FileMode::kFifo) {
    return fail(Errno::kESPIPE);
  }
  if (advice > kMaxAdvice || length < 0) {
    return fail(Errno::kEINVAL);
  }
  file->advise(offset, static_cast<uint64_t>(length), advice);
  return 0u;
}

uint64_t wide(uint32_t low, uint32_t high) { return low | uint64_t{high} << 32; }

}  // namespace

Result<uint32_t> sys_sendfile(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return sendfile<int32_t>(kernel, task, args);
}
Result<uint32_t> sys_sendfile64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return sendfile<int64_t>(kernel, task, args);
}

// fd_in, off_in, fd_out, off_out, length, flags.
Result<uint32_t> sys_copy_file_range(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(OpenFile * in, file_for_io(task, args[0]));
  FL_TRY_ASSIGN(OpenFile * out, file_for_io(task, args[2]));
  FL_TRY_ASSIGN(Position from, position(task, args.ptr(1), *in));
  FL_TRY_ASSIGN(Position to, position(task, args.ptr(3), *out));
  if (args[5] != 0) {
    return fail(Errno::kEINVAL);
  }
  if (!in->readable() || !out->writable() || (out->flags() & OpenFlag::kAppend) != 0) {
    return fail(Errno::kEBADF);
  }
  FL_TRY_ASSIGN(const FileStat in_stat, in->stat());
  FL_TRY_ASSIGN(const FileStat out_stat, out->stat());
  if (in_stat.is_directory() || out_stat.is_directory()) {
    return fail(Errno::kEISDIR);
  }
  if (!in_stat.is_regular() || !out_stat.is_regular() || in->host_poll_fd() >= 0 || out->host_poll_fd() >= 0) {
    return fail(Errno::kEINVAL);
  }
  const uint32_t count = std::min(args[4], kMaxTransfer);
  const bool same_file = in_stat.dev == out_stat.dev && in_stat.ino == out_stat.ino;
  if (same_file && from.value < to.value + count && to.value < from.value + count) {
    return fail(Errno::kEINVAL);
  }
  const auto moved = copy_bytes(*in, from.value, *out, to.value, count);
  if (moved && *moved > 0) {
    FL_TRY(store(task, from, *in));
    FL_TRY(store(task, to, *out));
  }
  return finish_transfer(kernel, task, task.files->share(args[2]), args[2], "copy_file_range", moved);
}

Result<uint32_t> sys_fadvise64(Kernel&, Task& task, const SyscallArgs& args) {
  return advise(task, args[0], wide(args[1], args[2]), args.s(3), args[4]);
}
Result<uint32_t> sys_fadvise64_64(Kernel&, Task& task, const SyscallArgs& args) {
  return advise(task, args[0], wide(args[1], args[2]), static_cast<int64_t>(wide(args[3], args[4])), args[5]);
}
Result<uint32_t> sys_readahead(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(OpenFile * file, file_for_io(task, args[0]));
  if (!file->readable()) {
    return fail(Errno::kEBADF);
  }
  if (!file->mapped_file()) {
    return fail(Errno::kEINVAL);
  }
  file->advise(wide(args[1], args[2]), args[3], static_cast<uint32_t>(vm::FileAdvice::kWillNeed));
  return 0u;
}

}  // namespace fl::guest
