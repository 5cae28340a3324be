// OpenFile: one open file description, shared by the descriptors that dup() made of it. Linux counterpart: struct file
// with its file_operations.
//
// The base class answers every operation as a file does that does not have it; a kind of file overrides what it can do.
// Open files are made with make_file (fs_caches.hpp) and live in the cache "filp". What mmap maps is part of the open
// file: an area keeps it open, as on Linux. A file that would have to wait answers EAGAIN: the system call then sleeps,
// or returns it if O_NONBLOCK is set.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "guest/fs/caller.hpp"
#include "guest/fs/epoll_link.hpp"
#include "guest/fs/file_stat.hpp"
#include "guest/fs/io_buffer.hpp"
#include "guest/fs/live_path.hpp"
#include "guest/fs/write_count.hpp"
#include "mmu/base/result.hpp"
#include "vm/mm/vm_area.hpp"

namespace fl::vm {
class SwapStore;
struct KernelProfile;
}  // namespace fl::vm

namespace fl::guest {

class LockTable;
class WaitQueue;

// O_* with their i386 values (asm-generic/fcntl.h); x86-64 has the same.
struct OpenFlag {
  enum Bit : uint32_t {
    kReadOnly = 0,
    kWriteOnly = 1,
    kReadWrite = 2,
    kAccessMode = 3,
    kCreate = 0100,
    kExclusive = 0200,
    kNoCtty = 0400,
    kTruncate = 01000,
    kAppend = 02000,
    kNonBlock = 04000,
    kDsync = 010000,
    kAsync = 020000,
    kDirect = 040000,
    kLargeFile = 0100000,
    kDirectory = 0200000,
    kNoFollow = 0400000,
    kNoAtime = 01000000,
    kCloseOnExec = 02000000,
    kSync = 04010000,
    kPath = 010000000,
    kTmpFileBit = 020000000,
  };
  // Those that fcntl(F_SETFL) changes.
  static constexpr uint32_t kSettable = kAppend | kNonBlock | kAsync | kDirect | kNoAtime;
};

// poll(2) events.
struct PollEvent {
  enum Bit : uint32_t {
    kIn = 0x1,
    kPri = 0x2,
    kOut = 0x4,
    kErr = 0x8,
    kHup = 0x10,
    kInvalid = 0x20,
    kReadNormal = 0x40,
    kReadBand = 0x80,
    kWriteNormal = 0x100,
    kWriteBand = 0x200,
  };
  static constexpr uint32_t kAlwaysReady = kIn | kOut | kReadNormal | kWriteNormal;
};

struct Whence {
  enum Value : uint32_t { kSet, kCurrent, kEnd, kData, kHole };
};

// What statfs tells. Linux: struct kstatfs.
struct FsStat {
  uint64_t type = 0;
  uint64_t block_size = 4096;
  uint64_t blocks = 0, blocks_free = 0, blocks_available = 0;
  uint64_t files = 0, files_free = 0;
  uint64_t fsid = 0;
  uint64_t name_length = 255;
  uint64_t fragment_size = 4096;
  uint64_t flags = 0;
};

struct DirectoryEntry {
  uint64_t ino = 0;
  uint64_t next = 0;  // position behind this entry: d_off
  uint8_t type = 0;   // DT_*
  std::string_view name;
};

// Takes directory entries one by one. Linux: dir_context, filldir.
class DirectorySink {
 public:
  virtual ~DirectorySink() = default;
  // False: there is no room, the entry was not taken.
  virtual bool add(const DirectoryEntry& entry) = 0;
};

// An argument of utimensat: set to this time, to now, or leave alone.
struct TimeChange {
  enum class Kind : uint8_t { kSet, kNow, kOmit };
  Kind kind = Kind::kNow;
  FileTime time;
};
struct TimeChanges {
  TimeChange access, modification;
};

class OpenFile : public std::enable_shared_from_this<OpenFile>, public vm::FileOperations {
 public:
  // `flags`: access mode and status flags of OpenFlag.
  OpenFile(uint32_t flags, std::shared_ptr<LivePath> path) : flags_(flags), path_(std::move(path)) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  // Every epoll forgets the file.
  virtual ~OpenFile();

  uint32_t flags() const { return flags_; }
  void set_flags(uint32_t flags) { flags_ = flags; }
  bool nonblocking() const { return (flags_ & OpenFlag::kNonBlock) != 0; }
  bool path_only() const { return (flags_ & OpenFlag::kPath) != 0; }
  bool readable() const { return !path_only() && (flags_ & OpenFlag::kAccessMode) != OpenFlag::kWriteOnly; }
  bool writable() const { return !path_only() && (flags_ & OpenFlag::kAccessMode) != OpenFlag::kReadOnly; }
  const std::shared_ptr<LivePath>& path() const { return path_; }

  // The position that read, write and lseek use; shared by all descriptors of this description.
  uint64_t pos = 0;

  virtual Result<FileStat> stat() = 0;
  virtual bool is_directory() const { return false; }
  // pread, pwrite and lseek make sense. Else they answer ESPIPE.
  virtual bool seekable() const { return false; }

  // Move bytes at `at` and advance it (files that are not seekable ignore it). The number of bytes moved; 0 at the end
  // of the file. EFAULT only if nothing was moved. The caller has checked readable() or writable().
  virtual Result<uint32_t> read(IoBuffer& to, uint64_t& at);
  virtual Result<uint32_t> write(IoBuffer& from, uint64_t& at);
  // The new position. Does not look at path_only().
  virtual Result<uint64_t> seek(int64_t offset, uint32_t whence);

  // Hands entries from pos on to `sink` and advances pos past those taken. Linux: iterate_shared. ENOTDIR.
  virtual Status list(DirectorySink& sink);

  virtual Status truncate(uint64_t size);
  virtual Status allocate(uint32_t mode, uint64_t offset, uint64_t length);
  // How the bytes will be used (POSIX_FADV_*); `length` 0: to the end. A file that need not care ignores it. Linux:
  // vfs_fadvise.
  virtual void advise(uint64_t /*offset*/, uint64_t /*length*/, uint32_t /*advice*/) {}
  // For madvise(MADV_REMOVE).
  Status punch_hole(uint64_t offset, uint64_t length) final;
  virtual Status sync();
  virtual Status chmod(const Caller& caller, uint32_t mode);
  // uid_t(-1), gid_t(-1): unchanged.
  virtual Status chown(const Caller& caller, uint32_t uid, uint32_t gid);
  virtual Status set_times(const Caller& caller, const TimeChanges& times);
  virtual Result<FsStat> statfs();
  virtual Result<uint32_t> ioctl(vm::UserAccess& user, uint32_t request, VirtAddr argument);

  // The locks that this open file owns go with it.
  void release_locks_at_end(LockTable& locks) { locks_ = &locks; }

  // The open itself has to wait, on wait_queue(): the other side of a FIFO is not there yet. Linux: wait_for_partner.
  virtual bool open_waits() const { return false; }

  // sendfile can take bytes from this file. Linux: file_operations has splice_read.
  virtual bool can_splice_read() const { return true; }

  // Which PollEvents hold now.
  virtual uint32_t poll() { return PollEvent::kAlwaysReady; }
  // The host descriptor that poll(2) may wait on; -1: its state changes only by what guest tasks do.
  virtual int host_poll_fd() const { return -1; }
  // Tasks that wait for this file; null: it never makes anyone wait.
  virtual WaitQueue* wait_queue() { return nullptr; }
  // Whether reads and writes wake those who wait; else the system call does it for them.
  virtual bool wakes_waiters() const { return false; }
  // poll says more than that it is always ready: epoll takes it. Linux: file_can_poll.
  virtual bool can_poll() { return wait_queue() != nullptr; }
  // The epolls that watch it. Linux: f_ep.
  EpollLinks epoll_links;

  // What this kind of file adds to /proc/PID/fdinfo/N. Linux: show_fdinfo.
  virtual std::string fdinfo(const vm::KernelProfile& /*profile*/) { return {}; }

  // Of a file that may be executed; null: none. Linux: i_writecount.
  virtual WriteCount* write_count() { return nullptr; }
  // What mmap maps, one object for each description, which keeps it open. ENODEV: it cannot be mapped; ENOMEM.
  virtual Result<std::shared_ptr<const vm::MappedFile>> mapped_file() { return fail(Errno::kENODEV); }
  // It is an area that is swapped to. Linux: IS_SWAPFILE.
  virtual bool is_swapfile() const { return false; }
  // The file as a swap area. EINVAL: it cannot be one; else what writing it back answers. Linux: read_folio, bmap.
  virtual Result<std::shared_ptr<vm::SwapStore>> swap_store() { return fail(Errno::kEINVAL); }
  // mmap of this file gives anonymous memory: /dev/zero.
  virtual bool maps_anonymous() const { return false; }

 protected:
  // `file`, a member of this object, as mapped_file answers it.
  std::shared_ptr<const vm::MappedFile> share_mapped(const vm::MappedFile& file) { return {shared_from_this(), &file}; }
  // The name of a mapping that is made now.
  void name_mapped(vm::MappedFile& file) {
    file.path = path_->text();
    file.path_owner = path_->name.owner();
    file.operations = this;
  }

 private:
  uint32_t flags_;
  std::shared_ptr<LivePath> path_;
  LockTable* locks_ = nullptr;
};

// lseek's arithmetic on a file of `size` bytes. EINVAL, EOVERFLOW; ENXIO for SEEK_DATA and SEEK_HOLE beyond the end.
// Linux: generic_file_llseek_size.
Result<uint64_t> seek_in(uint64_t pos, uint64_t size, int64_t offset, uint32_t whence);

}  // namespace fl::guest
