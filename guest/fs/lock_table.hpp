// LockTable: the advisory locks of the machine: flock (of an open file), POSIX record locks (of a process's descriptor
// table) and OFD locks (record locks of an open file). Linux counterpart: fs/locks.c.
//
// Locks belong to an inode, told by its device and number; nothing of the host's locks is seen or changed. A lock that
// cannot be had answers EAGAIN; whoever wants to wait sleeps on `waiting` and tries again when anything was unlocked.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <limits>

#include "guest/fs/file_stat.hpp"
#include "guest/task/wait_queue.hpp"
#include "mmu/base/result.hpp"
#include "vm/slab/object_cache.hpp"

namespace fl::guest {

class OpenFile;

// Linux: F_RDLCK, F_WRLCK, F_UNLCK.
enum class LockType : int16_t { kRead = 0, kWrite = 1, kUnlock = 2 };

struct LockKey {
  uint64_t device = 0, inode = 0;
  static LockKey of(const FileStat& stat) { return {stat.dev.word(), stat.ino}; }
  bool operator==(const LockKey&) const = default;
};

// A range of bytes, both ends included.
struct LockRange {
  static constexpr uint64_t kEnd = std::numeric_limits<int64_t>::max();  // Linux: OFFSET_MAX
  uint64_t first = 0, last = kEnd;
  bool overlaps(const LockRange& other) const { return first <= other.last && other.first <= last; }
};

// Linux: struct file_lock.
struct FileLock {
  LockKey key;
  const void* owner = nullptr;  // a FdTable or an OpenFile
  LockType type = LockType::kRead;
  LockRange range;
  int32_t pid = 0;  // who is told by F_GETLK; -1: an open file
  boost::intrusive::list_member_hook<> hook;
};

class LockTable {
 public:
  explicit LockTable(vm::SlabAllocator& slab);
  LockTable(const LockTable&) = delete;
  LockTable& operator=(const LockTable&) = delete;
  ~LockTable();

  // Of a whole file, by an open file; `pid`: who asked for it. EAGAIN; ENOLCK: no memory. A lock of another type is
  // given up before. Linux: flock_lock_inode.
  Status flock(const LockKey& key, OpenFile& owner, LockType type, int32_t pid);
  // Of a range. EAGAIN, ENOLCK. Linux: posix_lock_inode.
  Status set(const FileLock& request);
  // The first lock that is in the way of `request`; null: none. Linux: posix_test_lock.
  const FileLock* find_conflict(const FileLock& request) const;

  // Would waiting for this lock close a circle of owners that wait for each other? Linux: posix_locks_deadlock.
  bool deadlocks(const FileLock& request) const;
  // `owner` waits from now on for what is in the way of `request`, or no longer. ENOLCK.
  Status add_waiter(const FileLock& request);
  void remove_waiter(const void* owner);

  // Calls show(const FileLock&, bool whole) for every lock of a file by two owners, flocks first.
  template <typename Show>
  void for_each_of(const LockKey& key, const void* files, const void* open_file, Show&& show) const {
    for (const Locks* const locks : {&flocks_, &records_}) {
      for (const FileLock& lock : *locks) {
        if (lock.key == key && (lock.owner == files || lock.owner == open_file)) {
          show(lock, locks == &flocks_);
        }
      }
    }
  }

  // An owner has closed a descriptor of a file: its record locks there go. Linux: locks_remove_posix.
  void close_descriptor(OpenFile& file, const void* owner);
  // An owner goes, with all its locks. Linux: locks_remove_file.
  void remove_owner(const void* owner);

  WaitQueue waiting;

 private:
  using Locks = boost::intrusive::list<
      FileLock, boost::intrusive::member_hook<FileLock, boost::intrusive::list_member_hook<>, &FileLock::hook>>;
  FileLock* make(const FileLock& from);
  void erase(Locks& locks, FileLock& lock);
  void remove_if_owned(Locks& locks, const void* owner);
  void insert_record(FileLock& lock);

  vm::ObjectCache<FileLock> cache_;
  Locks flocks_;
  Locks records_;  // those of one owner and file together, by position
  Locks waiters_;  // requests of those who sleep
};

}  // namespace fl::guest
