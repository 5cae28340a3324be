// Reading and writing pages of host files, and keeping one inode for each file.
#include "guest/fs/host/host_inode.hpp"

#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include "guest/fs/fs_caches.hpp"
#include "mmu/base/check.hpp"
#include "vm/memory_system.hpp"

namespace fl::guest {
namespace {

bool same_time(const FileTime& a, const FileTime& b) {
  return a.seconds == b.seconds && a.nanoseconds == b.nanoseconds;
}

// Reads until the pages are full or the file ends; the rest becomes zeros.
Status read_full(int fd, uint64_t offset, std::span<std::byte* const> pages) {
  constexpr size_t kBatch = 64;
  for (size_t first = 0; first < pages.size(); first += kBatch) {
    const size_t count = std::min(kBatch, pages.size() - first);
    size_t done = 0;
    while (done < count * kPageSize) {
      std::array<iovec, kBatch> iov;
      size_t pieces = 0;
      for (size_t page = done / kPageSize; page < count; ++page) {
        const size_t skip = page == done / kPageSize ? done % kPageSize : 0;
        iov[pieces++] = {pages[first + page] + skip, kPageSize - skip};
      }
      const uint64_t at = offset + first * kPageSize + done;
      const ssize_t got = ::preadv(fd, iov.data(), static_cast<int>(pieces), static_cast<off_t>(at));
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got < 0) {
        return fail(Errno::kEIO);
      }
      if (got == 0) {
        break;
      }
      done += static_cast<size_t>(got);
    }
    for (size_t page = done / kPageSize; page < count; ++page) {
      const size_t keep = page == done / kPageSize ? done % kPageSize : 0;
      std::memset(pages[first + page] + keep, 0, kPageSize - keep);
    }
  }
  return {};
}

}  // namespace

Status HostStore::read_pages(uint64_t first, std::span<std::byte* const> pages) {
  if (reader_ == nullptr) {
    return fail(Errno::kEIO);
  }
  return read_full(reader_->get(), first << kPageShift, pages);
}

Status HostStore::write_page(uint64_t index, std::span<const std::byte, 4096> bytes) {
  if (writer_ == nullptr) {
    return fail(Errno::kEIO);
  }
  // The host's size, not ours: a file that was cut on the host must not grow again.
  struct stat now {};
  if (::fstat(writer_->get(), &now) != 0) {
    return fail(errno_from_host(errno));
  }
  const uint64_t start = index << kPageShift;
  const uint64_t host_size = std::min<uint64_t>(static_cast<uint64_t>(now.st_size), size_);
  size_t left = start >= host_size ? 0 : std::min<uint64_t>(kPageSize, host_size - start);
  size_t done = 0;
  while (left > 0) {
    const ssize_t put = ::pwrite(writer_->get(), bytes.data() + done, left, static_cast<off_t>(start + done));
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put <= 0) {
      return fail(put < 0 ? errno_from_host(errno) : Errno::kEIO);
    }
    done += static_cast<size_t>(put);
    left -= static_cast<size_t>(put);
  }
  return {};
}

uint64_t HostStore::host_size() const {
  struct stat now {};
  const SharedFd& fd = reader_ != nullptr ? reader_ : writer_;
  return fd != nullptr && ::fstat(fd->get(), &now) == 0 ? static_cast<uint64_t>(now.st_size) : size_;
}

void HostInode::store_in_cache(vm::MemorySystem& memory, uint64_t offset, std::span<const std::byte> bytes) {
  while (mapping != nullptr && !bytes.empty()) {
    const size_t in_page = offset & kPageOffsetMask;
    const size_t length = std::min<size_t>(bytes.size(), kPageSize - in_page);
    if (const uint32_t frame = mapping->find(offset >> kPageShift); frame != vm::kNoPage) {
      const vm::KmapLocal page(memory.kmap_slots(), Pfn(frame));
      std::memcpy(page.data() + in_page, bytes.data(), length);
      memory.tlb().code_changed(Pfn(frame));
    }
    offset += length;
    bytes = bytes.subspan(length);
  }
}

void HostInode::adopt_size(uint64_t bytes) {
  const uint64_t old = store->size();
  store->set_size(bytes);
  if (mapping == nullptr || bytes == old) {
    return;
  }
  if (bytes < old) {
    mapping->truncate(bytes);
  } else {
    reread(old, bytes - old);  // the last page was cached with zeros behind the old end
  }
}

void HostInode::reread(uint64_t offset, uint64_t length) {
  // What shared mappings stored must not be lost. A page that cannot be written or read keeps its bytes, as a file does
  // whose disk fails after it was cached.
  (void)mapping->write_back(offset >> kPageShift, (offset + length) >> kPageShift);
  (void)mapping->reload(offset, length);
}

void HostInode::note_times(const FileStat& stat) {
  mtime = stat.mtime;
  ctime = stat.ctime;
}

HostInodeTable::~HostInodeTable() {
  while (!by_age_.empty()) {
    forget(by_age_.front());
  }
}

// Its pages and host descriptors go with its last user.
void HostInodeTable::forget(HostInode& inode) {
  by_key_.erase(by_key_.iterator_to(inode));
  by_age_.erase(by_age_.iterator_to(inode));
  const std::shared_ptr<HostInode> last = std::move(inode.kept);
}

std::shared_ptr<HostInode> HostInodeTable::find(const HostInodeKey& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->kept;
}

Result<std::shared_ptr<HostInode>> HostInodeTable::acquire(const SharedFd& fd, FdUse use, const FileStat& stat) {
  const HostInodeKey key = HostInodeKey::of(stat);
  std::shared_ptr<HostInode> inode = find(key);
  const bool fresh = inode == nullptr;
  if (fresh) {
    FL_TRY_ASSIGN(inode, make_shared_object(caches_.host_inode, caches_.slab(), key));
    inode->kept = inode;
    inode->store->set_size(stat.size);
    inode->began_empty = stat.size == 0;
    by_key_.insert(*inode);
    by_age_.push_back(*inode);
    drop_oldest_idle(kMaxIdle - 1);  // the new one is idle soon, too
  }
  HostStore& store = *inode->store;
  if (use != FdUse::kWrite && !store.has_reader()) {
    store.set_reader(fd);
  }
  if (use != FdUse::kRead && !store.has_writer()) {
    store.set_writer(fd);
  }
  if (store.has_reader() && inode->mapping == nullptr) {
    // Without memory the inode stays in the table, idle, and is tried again by the next open.
    FL_TRY_ASSIGN(inode->mapping, vm::Mapping::for_file(memory_, inode->store));
    if (!inode->began_empty) {
      inode->mapping->start_cold();
    }
  }
  const bool changed = !fresh && (!same_time(inode->mtime, stat.mtime) || !same_time(inode->ctime, stat.ctime));
  inode->adopt_size(stat.size);
  inode->note_times(stat);
  if (changed && inode->mapping != nullptr) {
    inode->reread(0, stat.size);
  }
  return inode;
}

void HostInodeTable::write_back_all() {
  for (const HostInode& inode : by_age_) {
    if (inode.mapping != nullptr) {
      // sync tells of no error; the pages stay dirty and are tried again.
      (void)inode.mapping->write_back(0, std::numeric_limits<uint64_t>::max());
    }
  }
}

bool HostInodeTable::unused(const HostInode& inode) {
  return inode.kept.use_count() == 1 && (inode.mapping == nullptr || inode.mapping.use_count() == 1);
}

size_t HostInodeTable::idle() const {
  return static_cast<size_t>(std::count_if(by_age_.begin(), by_age_.end(), unused));
}

void HostInodeTable::drop_oldest_idle(size_t keep) {
  size_t idle_now = idle();
  for (auto inode = by_age_.begin(); inode != by_age_.end() && idle_now > keep;) {
    HostInode& oldest = *inode++;
    if (unused(oldest)) {
      forget(oldest);
      --idle_now;
    }
  }
}

}  // namespace fl::guest
