// Moving bytes between the guest and the descriptors that faultline was started with.
#include "guest/fs/host/host_stream.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

#include "guest/fs/fs_caches.hpp"
#include "guest/fs/host/host_call.hpp"
#include "guest/fs/ioctl.hpp"
#include "vm/memory_system.hpp"

namespace fl::guest {
namespace {

// The most that one host call moves: a pipe's capacity.
constexpr size_t kBatch = 64 << 10;
constexpr int kWaitSliceMs = 100;
// struct termios of the kernel, not glibc's: four words, the line discipline, 19 control characters.
constexpr size_t kKernelTermiosBytes = 36;
constexpr size_t kWinsizeBytes = 8;

}  // namespace

Result<std::shared_ptr<HostStream>> HostStream::adopt(int fd, vm::MemorySystem& memory, HostInodeTable& inodes,
                                                      std::shared_ptr<LivePath> path, StopRequested stop,
                                                      HostPoller& poller) {
  const int flags = ::fcntl(fd, F_GETFL);
  FL_TRY(host_status(flags));
  FL_TRY_ASSIGN(const FileStat stat, stat_host_fd(fd));
  return make_file<HostStream>(memory, fd, static_cast<uint32_t>(flags), std::move(path), memory, inodes, stat,
                               std::move(stop), poller);
}

HostStream::HostStream(int fd, uint32_t flags, std::shared_ptr<LivePath> path, vm::MemorySystem& memory,
                       HostInodeTable& inodes, const FileStat& stat, StopRequested stop, HostPoller& poller)
    : OpenFile(flags, std::move(path)),
      fd_(fd),
      memory_(memory),
      inodes_(inodes),
      regular_(stat.is_regular()),
      seekable_(::lseek(fd, 0, SEEK_CUR) >= 0),
      identity_(HostInodeKey::of(stat)),
      stop_(std::move(stop)),
      poller_(poller) {
  source_.fd = fd;
  poller_.add(source_);
}

Status HostStream::wait_for(short events) {
  if (regular_) {
    return {};
  }
  pollfd request{fd_, events, 0};
  if (nonblocking()) {
    return ::poll(&request, 1, 0) == 0 ? Status(fail(Errno::kEAGAIN)) : Status{};
  }
  if (!poller_.may_block() && ::poll(&request, 1, 0) == 0) {
    source_.events = static_cast<short>(source_.events | events);
    return fail(Errno::kEAGAIN);
  }
  while (::poll(&request, 1, kWaitSliceMs) <= 0) {
    if (stop_ && stop_()) {
      return fail(Errno::kEINTR);
    }
  }
  return {};
}

Result<uint32_t> HostStream::host_read(std::span<std::byte> to, const uint64_t* at) const {
  while (true) {
    const ssize_t got =
        at != nullptr ? ::pread(fd_, to.data(), to.size(), static_cast<off_t>(*at)) : ::read(fd_, to.data(), to.size());
    if (got >= 0) {
      return static_cast<uint32_t>(got);
    }
    if (errno != EINTR) {
      return fail(errno_from_host(errno));
    }
    if (stop_ && stop_()) {
      return fail(Errno::kEINTR);
    }
  }
}

Result<uint32_t> HostStream::host_write(std::span<const std::byte> from, const uint64_t* at) const {
  while (true) {
    const ssize_t put = at != nullptr ? ::pwrite(fd_, from.data(), from.size(), static_cast<off_t>(*at))
                                      : ::write(fd_, from.data(), from.size());
    if (put >= 0) {
      return static_cast<uint32_t>(put);
    }
    if (errno != EINTR) {
      return fail(errno_from_host(errno));
    }
    if (stop_ && stop_()) {
      return fail(Errno::kEINTR);
    }
  }
}

// `at` is &pos for read and write: then the host's own position counts, which it shares with whoever started us. pread
// and pwrite come with a position of their own.
Result<uint32_t> HostStream::read(IoBuffer& to, uint64_t& at) {
  source_.events = static_cast<short>(source_.events | POLLIN);  // what comes after this is news
  const uint64_t* const position = &at == &pos ? nullptr : &at;
  std::array<std::byte, kBatch> batch;
  uint32_t done = 0;
  while (to.left() > 0) {
    if (!unread_.empty() && position == nullptr) {
      const uint32_t moved = to.put(unread_);
      unread_.erase(unread_.begin(), unread_.begin() + moved);
      return moved > 0 ? Result<uint32_t>(moved) : fail(Errno::kEFAULT);
    }
    // What is there is returned; only the first byte is waited for.
    if (done == 0) {
      FL_TRY(wait_for(POLLIN));
    }
    const auto wanted = std::min<size_t>(to.left(), batch.size());
    const auto got = host_read(std::span(batch).first(wanted), position);
    if (!got) {
      return done > 0 ? Result<uint32_t>(done) : fail(got.error());
    }
    const uint32_t moved = to.put(std::span(batch).first(*got));
    done += moved;
    if (position != nullptr) {
      at += moved;
    }
    if (moved < *got) {
      if (position == nullptr) {
        unread_.assign(batch.begin() + moved, batch.begin() + *got);
      }
      return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
    }
    if (!regular_ || *got < wanted) {
      break;
    }
  }
  return done;
}

Result<uint32_t> HostStream::write(IoBuffer& from, uint64_t& at) {
  source_.events = static_cast<short>(source_.events | POLLOUT);
  // As a pipe without readers answers: before the guest's memory is looked at.
  if (broken_) {
    return fail(Errno::kEPIPE);
  }
  const uint64_t* const position = &at == &pos ? nullptr : &at;
  std::array<std::byte, kBatch> batch;
  uint32_t done = 0;
  while (from.left() > 0) {
    if (const auto ready = wait_for(POLLOUT); !ready) {
      return done > 0 ? Result<uint32_t>(done) : fail(ready.error());
    }
    const uint32_t taken = from.take(batch);
    if (taken == 0) {
      return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
    }
    uint32_t put = 0;
    while (put < taken) {
      const auto written = host_write(std::span(batch).subspan(put, taken - put), position);
      if (!written) {
        broken_ = written.error() == Errno::kEPIPE;
        return done > 0 ? Result<uint32_t>(done) : fail(written.error());
      }
      put += *written;
      done += *written;
      if (position != nullptr) {
        at += *written;
      }
      if (regular_) {
        const off_t here = position != nullptr ? static_cast<off_t>(at) : ::lseek(fd_, 0, SEEK_CUR);
        note_written(static_cast<uint64_t>(here), std::span(batch).subspan(put - *written, *written));
      }
      if (nonblocking() && put < taken) {
        return done;
      }
    }
    if (taken < batch.size()) {
      break;
    }
  }
  return done;
}

// The guest may have the same file open by its name.
void HostStream::note_written(uint64_t end, std::span<const std::byte> bytes) {
  const auto inode = inodes_.find(identity_);
  if (inode != nullptr && end >= bytes.size()) {
    inode->store_in_cache(memory_, end - bytes.size(), bytes);
    inode->refresh_size();
  }
}

Result<uint64_t> HostStream::seek(int64_t offset, uint32_t whence) {
  if (whence > Whence::kHole) {
    return fail(Errno::kEINVAL);
  }
  const off_t result = ::lseek(fd_, offset, static_cast<int>(whence));
  FL_TRY(host_status(result));
  unread_.clear();
  return static_cast<uint64_t>(result);
}

Status HostStream::truncate(uint64_t size) {
  FL_TRY(host_status(::ftruncate(fd_, static_cast<off_t>(size))));
  if (const auto inode = inodes_.find(identity_)) {
    inode->store->set_size(size);
    if (inode->mapping != nullptr) {
      inode->mapping->truncate(size);
    }
  }
  return {};
}

Status HostStream::sync() { return host_status(::fsync(fd_)); }

Result<FsStat> HostStream::statfs() { return statfs_host_fd(fd_); }

// A terminal is handed through as far as its settings and size go: the program has the same right to them natively.
// Process groups and everything else would mix the guest's process ids with the host's.
Result<uint32_t> HostStream::ioctl(vm::UserAccess& user, uint32_t request, VirtAddr argument) {
  std::array<std::byte, kKernelTermiosBytes> buffer{};
  switch (request) {
    case Ioctl::kTcgets:
    case Ioctl::kTiocgwinsz: {
      FL_TRY(host_status(::ioctl(fd_, request, buffer.data())));
      const size_t bytes = request == Ioctl::kTcgets ? kKernelTermiosBytes : kWinsizeBytes;
      FL_TRY(user.write(argument, std::span(buffer).first(bytes)));
      return 0;
    }
    case Ioctl::kTcsets:
    case Ioctl::kTcsetsw:
    case Ioctl::kTcsetsf:
      if (::isatty(fd_) == 0) {
        return fail(Errno::kENOTTY);
      }
      FL_TRY(user.read(buffer, argument));
      FL_TRY(host_status(::ioctl(fd_, request, buffer.data())));
      return 0;
    case Ioctl::kFionread: {
      int available = 0;
      FL_TRY(host_status(::ioctl(fd_, FIONREAD, &available)));
      const auto kept = static_cast<int>(std::min<size_t>(unread_.size(), kBatch));
      FL_TRY(user.put(argument, static_cast<int32_t>(available + kept)));
      return 0;
    }
    default:
      return fail(Errno::kENOTTY);
  }
}

uint32_t HostStream::poll() {
  pollfd request{fd_, POLLIN | POLLOUT | POLLPRI, 0};
  if (::poll(&request, 1, 0) < 0) {
    return PollEvent::kErr;
  }
  auto events = static_cast<uint32_t>(request.revents) &
                uint32_t{PollEvent::kIn | PollEvent::kOut | PollEvent::kPri | PollEvent::kErr | PollEvent::kHup};
  if (!unread_.empty()) {
    events |= PollEvent::kIn;
  }
  // What does not hold now may come.
  constexpr short kMayCome = POLLIN | POLLOUT | POLLPRI;
  const bool ended = (request.revents & (POLLERR | POLLHUP)) != 0;
  source_.events = ended ? short{0} : static_cast<short>(kMayCome & ~request.revents);
  events |= (events & PollEvent::kIn) != 0 ? PollEvent::kReadNormal : 0u;
  events |= (events & PollEvent::kOut) != 0 ? PollEvent::kWriteNormal : 0u;
  return events;
}

Result<std::shared_ptr<const vm::MappedFile>> HostStream::mapped_file() {
  if (!regular_ || !readable()) {
    return fail(Errno::kENODEV);
  }
  if (mapped_.mapping == nullptr) {
    auto copy = std::make_shared<const UniqueFd>(::fcntl(fd_, F_DUPFD_CLOEXEC, 0));
    FL_TRY(host_status(copy->get()));
    FL_TRY_ASSIGN(const FileStat now, stat_host_fd(fd_));
    FL_TRY_ASSIGN(inode_, inodes_.acquire(copy, writable() ? FdUse::kReadWrite : FdUse::kRead, now));
    mapped_.mapping = inode_->mapping;
    mapped_.device = inode_->key.device;
    mapped_.inode = inode_->key.number;
    mapped_.readable = true;
    mapped_.writable = writable();
    name_mapped(mapped_);
  }
  return share_mapped(mapped_);
}

}  // namespace fl::guest
