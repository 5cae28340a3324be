// Reading, writing and changing a regular file of the host. Linux counterpart: mm/filemap.c.
#include "guest/fs/host/host_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>

#include "guest/fs/host/host_call.hpp"
#include "guest/fs/host/host_swap.hpp"
#include "guest/fs/ioctl.hpp"
#include "vm/cache/readahead.hpp"
#include "vm/memory_system.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::guest {
namespace {

// Bytes taken from the guest before the host is asked to write them.
constexpr size_t kWriteBatch = 64 << 10;

}  // namespace

HostFile::HostFile(uint32_t flags, std::shared_ptr<LivePath> path, vm::MemorySystem& memory, SharedFd fd,
                   std::shared_ptr<HostInode> inode, Place place, WriteClaim claim)
    : OpenFile(flags, std::move(path)),
      memory_(memory),
      fd_(std::move(fd)),
      inode_(std::move(inode)),
      claim_(std::move(claim)),
      place_(place) {}

HostFile::~HostFile() {
  if (changed_) {
    if (const auto now = stat_host_fd(fd_->get())) {
      inode_->note_times(*now);
    }
  }
}

Result<FileStat> HostFile::stat() {
  FL_TRY_ASSIGN(const FileStat stat, stat_host_fd(fd_->get()));
  inode_->adopt_size(stat.size);
  return stat;
}

// The size, asked anew if a read wants to go to the end that is known.
uint64_t HostFile::known_size(uint64_t wanted_end) {
  if (wanted_end >= inode_->store->size()) {
    inode_->refresh_size();
  }
  return inode_->store->size();
}

Result<uint32_t> HostFile::read(IoBuffer& to, uint64_t& at) {
  const uint64_t size = known_size(at + to.left());
  vm::Mapping& mapping = *inode_->mapping;
  uint32_t done = 0;
  uint64_t ready = 0;  // the page until which nothing has to be waited for
  while (to.left() > 0 && at < size) {
    uint64_t wanted = std::min<uint64_t>(to.left(), size - at);
    // All pages of the request are asked for together, not one for each piece of the guest's memory.
    if (const uint64_t index = at >> kPageShift; index >= ready) {
      const auto got =
          vm::filemap_get_pages(mapping, mapped_.ra, index, index + pages_for((at & kPageOffsetMask) + wanted));
      if (!got) {
        if (done > 0) {
          break;
        }
        return fail(got.error() == Errno::kENOMEM ? Errno::kENOMEM : Errno::kEIO);
      }
      ready = *got;
    }
    wanted = std::min(wanted, (ready << kPageShift) - at);
    const auto piece = to.chunk(static_cast<uint32_t>(wanted), mmu::Access::kWrite);
    if (!piece) {
      return done > 0 ? Result<uint32_t>(done) : fail(piece.error());
    }
    const auto got = mapping.read(at, piece->bytes());
    if (!got || *got == 0) {
      return done > 0 || got ? Result<uint32_t>(done) : fail(got.error());
    }
    to.advance(*got);
    at += *got;
    done += *got;
  }
  if (done > 0) {
    mapped_.ra.prev_pos = static_cast<int64_t>(at - 1);
  }
  return done;
}

bool HostFile::is_swapfile() const { return memory_.swap().find({inode_->key.device, inode_->key.number}) != nullptr; }

Result<uint32_t> HostFile::write(IoBuffer& from, uint64_t& at) {
  if (is_swapfile()) {
    return fail(Errno::kETXTBSY);
  }
  if ((flags() & OpenFlag::kAppend) != 0) {
    inode_->refresh_size();
    at = inode_->store->size();
  }
  std::array<std::byte, kWriteBatch> batch;
  uint32_t done = 0;
  while (from.left() > 0) {
    const uint32_t taken = from.take(batch);
    if (taken == 0) {
      return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
    }
    ssize_t put = 0;
    do {
      put = ::pwrite(fd_->get(), batch.data(), taken, static_cast<off_t>(at));
    } while (put < 0 && errno == EINTR);
    if (put < 0) {
      return done > 0 ? Result<uint32_t>(done) : fail(errno_from_host(errno));
    }
    changed_ = true;
    const auto written = static_cast<uint32_t>(put);
    inode_->store_in_cache(memory_, at, std::span(batch).first(written));
    at += written;
    done += written;
    inode_->store->set_size(std::max(inode_->store->size(), at));
    if (written < taken || taken < batch.size()) {
      break;  // the disk is full, or the guest's memory ended
    }
  }
  return done;
}

Result<uint64_t> HostFile::seek(int64_t offset, uint32_t whence) {
  if (whence == Whence::kData || whence == Whence::kHole) {
    const off_t found = ::lseek(fd_->get(), offset, whence == Whence::kData ? SEEK_DATA : SEEK_HOLE);
    FL_TRY(host_status(found));
    return pos = static_cast<uint64_t>(found);
  }
  const uint64_t size = whence == Whence::kEnd ? known_size(UINT64_MAX) : 0;
  FL_TRY_ASSIGN(pos, seek_in(pos, size, offset, whence));
  return pos;
}

Status HostFile::truncate(uint64_t size) {
  if (size > static_cast<uint64_t>(std::numeric_limits<off_t>::max())) {
    return fail(Errno::kEINVAL);
  }
  if (is_swapfile() && size <= known_size(UINT64_MAX)) {
    return fail(Errno::kETXTBSY);
  }
  FL_TRY(host_status(::ftruncate(fd_->get(), static_cast<off_t>(size))));
  changed_ = true;
  inode_->store->set_size(size);
  if (inode_->mapping != nullptr) {
    inode_->mapping->truncate(size);
  }
  return {};
}

Status HostFile::allocate(uint32_t mode, uint64_t offset, uint64_t length) {
  if ((mode & ~uint32_t{FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE}) != 0) {
    return fail(Errno::kEOPNOTSUPP);
  }
  if (is_swapfile()) {
    return fail(Errno::kETXTBSY);
  }
  if (inode_->mapping != nullptr) {
    FL_TRY(inode_->mapping->write_back(offset >> kPageShift, (offset + length) >> kPageShift));
  }
  FL_TRY(host_status(
      ::fallocate(fd_->get(), static_cast<int>(mode), static_cast<off_t>(offset), static_cast<off_t>(length))));
  changed_ = true;
  inode_->refresh_size();
  if (inode_->mapping == nullptr) {
    return {};
  }
  // Whole pages of a hole leave the cache, and fault again.
  const uint64_t first = pages_for(offset), end = (offset + length) >> kPageShift;
  if ((mode & uint32_t{FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE}) != 0 && first < end) {
    inode_->mapping->punch_hole(first, end - 1);
  }
  return inode_->mapping->reload(offset, length);
}

void HostFile::advise(uint64_t offset, uint64_t length, uint32_t advice) {
  if (inode_->mapping != nullptr) {
    vm::generic_fadvise(*inode_->mapping, mapped_.ra, offset, length, static_cast<vm::FileAdvice>(advice));
  }
}

Status HostFile::sync() {
  if (inode_->mapping != nullptr) {
    FL_TRY(inode_->mapping->write_back(0, std::numeric_limits<uint64_t>::max()));
    memory_.disk().wait_idle();
  }
  return host_status(::fsync(fd_->get()));
}

Status HostFile::chmod(const Caller&, uint32_t mode) {
  return place_ == Place::kWritable ? chmod_host_fd(fd_->get(), mode) : fail(Errno::kEROFS);
}

Status HostFile::chown(const Caller&, uint32_t uid, uint32_t gid) {
  return place_ == Place::kWritable ? chown_host_fd(fd_->get(), uid, gid) : fail(Errno::kEROFS);
}

Status HostFile::set_times(const Caller&, const TimeChanges& times) {
  return place_ == Place::kWritable ? set_times_host_fd(fd_->get(), times) : fail(Errno::kEROFS);
}

Result<FsStat> HostFile::statfs() { return statfs_host_fd(fd_->get()); }

Result<uint32_t> HostFile::ioctl(vm::UserAccess& user, uint32_t request, VirtAddr argument) {
  if (request != Ioctl::kFionread) {
    return fail(Errno::kENOTTY);
  }
  const uint64_t size = known_size(UINT64_MAX);
  FL_TRY(user.put(argument, static_cast<int32_t>(size - pos)));
  return 0;
}

Result<std::shared_ptr<const vm::MappedFile>> HostFile::mapped_file() {
  if (inode_->mapping == nullptr) {
    return fail(Errno::kENODEV);
  }
  if (mapped_.mapping == nullptr) {
    mapped_.mapping = inode_->mapping;
    mapped_.device = inode_->key.device;
    mapped_.inode = inode_->key.number;
    mapped_.readable = readable();
    mapped_.writable = writable();
    name_mapped(mapped_);
  }
  return share_mapped(mapped_);
}

// The disk has what shared mappings stored before it is read past the page cache. Linux: inode_drain_writes.
Result<std::shared_ptr<vm::SwapStore>> HostFile::swap_store() {
  if (inode_->mapping != nullptr) {
    FL_TRY(inode_->mapping->write_back(0, std::numeric_limits<uint64_t>::max()));
  }
  return std::make_shared<HostSwapStore>(fd_, vm::SwapKind::kFile, inode_->key);
}

}  // namespace fl::guest
