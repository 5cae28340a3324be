// Listing a host directory. Source: getdents64(2).
#include "guest/fs/host/host_directory.hpp"

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "guest/fs/host/host_call.hpp"

namespace fl::guest {
namespace {

constexpr size_t kBufferBytes = 4 << 10;
// Behind all entries. Linux: EXT4_HTREE_EOF_32BIT.
constexpr uint64_t kEndPosition = 0x7fffffff;

// Linux: struct linux_dirent64 with the name behind it.
struct HostEntry {
  uint64_t ino;
  int64_t offset;
  uint16_t length;
  uint8_t type;
};
constexpr size_t kNameOffset = 19;

}  // namespace

Result<uint64_t> HostDirectory::seek(int64_t offset, uint32_t whence) {
  if (whence == Whence::kEnd && offset == 0) {
    return pos = kEndPosition;
  }
  if (whence != Whence::kSet && whence != Whence::kCurrent) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(pos, seek_in(pos, 0, offset, whence));
  return pos;
}

Status HostDirectory::move_to(uint64_t position) {
  next_ = end_ = 0;
  const int64_t host = position == 0 ? 0 : host_offsets_[position - 1];
  FL_TRY(host_status(::lseek(fd_->get(), host, SEEK_SET)));
  buffer_pos_ = position;
  return {};
}

Result<bool> HostDirectory::fill() {
  FL_TRY(vm::with_memory([&] { buffer_.resize(kBufferBytes); }));
  const long got = ::syscall(SYS_getdents64, fd_->get(), buffer_.data(), buffer_.size());
  FL_TRY(host_status(got));
  next_ = 0;
  end_ = static_cast<size_t>(got);
  return got > 0;
}

Status HostDirectory::list(DirectorySink& sink) {
  if (pos > host_offsets_.size()) {
    return {};  // a position that was never told: behind the end
  }
  if (pos != buffer_pos_) {
    FL_TRY(move_to(pos));
  }
  while (true) {
    if (next_ == end_) {
      FL_TRY_ASSIGN(const bool more, fill());
      if (!more) {
        return {};
      }
    }
    HostEntry entry;
    std::memcpy(&entry, buffer_.data() + next_, kNameOffset);
    const char* const name = reinterpret_cast<const char*>(buffer_.data()) + next_ + kNameOffset;
    // The position is remembered before it is told.
    const bool fresh = pos == host_offsets_.size();
    if (fresh) {
      FL_TRY(vm::with_memory([&] { host_offsets_.push_back(entry.offset); }));
    }
    if (!sink.add({entry.ino, pos + 1, entry.type, name})) {
      if (fresh) {
        host_offsets_.pop_back();
      }
      return {};
    }
    next_ += entry.length;
    buffer_pos_ = ++pos;
  }
}

Status HostDirectory::sync() { return host_status(::fsync(fd_->get())); }

Status HostDirectory::chmod(const Caller&, uint32_t mode) {
  return place_ == Place::kWritable ? chmod_host_fd(fd_->get(), mode) : fail(Errno::kEROFS);
}

Status HostDirectory::chown(const Caller&, uint32_t uid, uint32_t gid) {
  return place_ == Place::kWritable ? chown_host_fd(fd_->get(), uid, gid) : fail(Errno::kEROFS);
}

Status HostDirectory::set_times(const Caller&, const TimeChanges& times) {
  return place_ == Place::kWritable ? set_times_host_fd(fd_->get(), times) : fail(Errno::kEROFS);
}

Result<FsStat> HostDirectory::statfs() { return statfs_host_fd(fd_->get()); }

}  // namespace fl::guest
