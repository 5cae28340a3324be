// What a file answers to the operations it does not have. Linux counterparts: the missing entries of file_operations.
#include "guest/fs/open_file.hpp"

#include <fcntl.h>

#include "guest/fs/lock_table.hpp"

namespace fl::guest {

OpenFile::~OpenFile() {
  epoll_release(epoll_links);
  if (locks_ != nullptr) {
    locks_->remove_owner(this);
  }
}

Result<uint32_t> OpenFile::read(IoBuffer&, uint64_t&) { return fail(Errno::kEINVAL); }
Result<uint32_t> OpenFile::write(IoBuffer&, uint64_t&) { return fail(Errno::kEINVAL); }
Result<uint64_t> OpenFile::seek(int64_t, uint32_t) { return fail(Errno::kESPIPE); }
Status OpenFile::list(DirectorySink&) { return fail(Errno::kENOTDIR); }
Status OpenFile::truncate(uint64_t) { return fail(Errno::kEINVAL); }
Status OpenFile::allocate(uint32_t, uint64_t, uint64_t) { return fail(Errno::kENODEV); }
Status OpenFile::punch_hole(uint64_t offset, uint64_t length) {
  return allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}
Status OpenFile::sync() { return fail(Errno::kEINVAL); }
Status OpenFile::chmod(const Caller&, uint32_t) { return fail(Errno::kEROFS); }
Status OpenFile::chown(const Caller&, uint32_t, uint32_t) { return fail(Errno::kEROFS); }
Status OpenFile::set_times(const Caller&, const TimeChanges&) { return fail(Errno::kEROFS); }
Result<FsStat> OpenFile::statfs() { return FsStat{}; }
Result<uint32_t> OpenFile::ioctl(vm::UserAccess&, uint32_t, VirtAddr) { return fail(Errno::kENOTTY); }

Result<uint64_t> seek_in(uint64_t pos, uint64_t size, int64_t offset, uint32_t whence) {
  int64_t base = 0;
  switch (whence) {
    case Whence::kSet:
      break;
    case Whence::kCurrent:
      base = static_cast<int64_t>(pos);
      break;
    case Whence::kEnd:
      base = static_cast<int64_t>(size);
      break;
    case Whence::kData:
    case Whence::kHole:
      // Every file is one piece of data with a hole behind it.
      if (offset < 0 || static_cast<uint64_t>(offset) >= size) {
        return fail(Errno::kENXIO);
      }
      return whence == Whence::kData ? static_cast<uint64_t>(offset) : size;
    default:
      return fail(Errno::kEINVAL);
  }
  int64_t result = 0;
  if (__builtin_add_overflow(base, offset, &result)) {
    return fail(Errno::kEOVERFLOW);
  }
  if (result < 0) {
    return fail(Errno::kEINVAL);
  }
  return static_cast<uint64_t>(result);
}

}  // namespace fl::guest
