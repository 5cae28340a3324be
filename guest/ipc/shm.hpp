// ShmSegments: System V shared memory. Linux counterpart: ipc/shm.c (shmid_kernel, shm_file_data).
//
// A segment's pages are a vm::Mapping. Each attachment is an open file of its own (ShmFile) that shares them, is mapped
// page by page (rule D6), and is told of every area that maps it: the areas are the attach count, so that fork, exit,
// munmap, mremap and splits need nothing here. A removed segment lives until its last area has gone. Simplified:
// SHM_LOCK only counts, reclaim takes a locked segment's pages all the same; no huge pages (ENOMEM, as from an empty
// pool); kernel.shm_rmid_forced is 0.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "guest/ipc/ipc_ids.hpp"
#include "guest/ipc/kmalloc_object.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/mm/vm_area.hpp"

namespace fl::guest {

class Kernel;
struct Task;

struct ShmFlag {
  enum Bit : uint32_t {  // of shmget
    kHugeTlb = 04000,
    kNoReserve = 010000,
  };
  enum AttachBit : uint32_t { kReadOnly = 010000, kRound = 020000, kRemap = 040000, kExecute = 0100000 };
  enum ModeBit : uint32_t { kDestroy = 01000, kLocked = 02000 };  // in a segment's mode
};

// Linux: struct shmid_kernel.
struct ShmSegment : IpcPerm {
  ShmSegment(int32_t key_given, uint32_t mode_given, uint32_t size, std::shared_ptr<vm::Mapping> memory)
      : IpcPerm(key_given, mode_given), bytes(size), pages(std::move(memory)), name_key(key_given) {}

  uint32_t bytes;
  std::shared_ptr<vm::Mapping> pages;
  int32_t name_key;  // the key it was made with, which its name keeps
  uint32_t attached = 0;
  int64_t attach_time = 0, detach_time = 0, change_time = 0;
  uint32_t creator_pid = 0, last_pid = 0;
  uint32_t locked_by = 0;  // user who has locked it
};

class ShmSegments {
 public:
  // Limits that can be set (sysctl kernel.shmmax, shmall, shmmni): bytes of one, pages of all, how many.
  struct Limits {
    uint64_t max_bytes, all_pages;
    uint32_t segments = 4096;
  };

  explicit ShmSegments(Kernel& kernel);
  ShmSegments(const ShmSegments&) = delete;
  ShmSegments& operator=(const ShmSegments&) = delete;
  ~ShmSegments() { clear(); }

  // The identifier. EINVAL, ENOSPC, ENOMEM, EPERM (huge pages); ENOENT, EEXIST, EACCES. Linux: ksys_shmget, newseg.
  Result<int32_t> get(Task& task, int32_t key, uint32_t bytes, uint32_t flags);
  // Where it is mapped. EINVAL, EACCES, ENOMEM. Linux: do_shmat.
  Result<VirtAddr> attach(Task& task, int32_t id, VirtAddr addr, uint32_t flags);
  // Unmaps what is left of the attachment that was made at `addr`. EINVAL: there is none. Linux: ksys_shmdt.
  Status detach(Task& task, VirtAddr addr);
  // EINVAL, EPERM. Linux: do_shm_rmid.
  Status remove(Task& task, int32_t id);
  // EINVAL, EPERM, ENOMEM (RLIMIT_MEMLOCK). Linux: shmctl_do_lock.
  Status lock(Task& task, int32_t id);
  Status unlock(Task& task, int32_t id);

  IpcIds& ids() { return ids_; }
  Limits& limits() { return limits_; }
  // Pages of all segments, and how many of them are in memory and in swap. Linux: shm_tot, shm_get_stat.
  uint64_t total_pages() const { return total_pages_; }
  struct Usage {
    uint64_t resident = 0, swapped = 0;
  };
  Usage usage();
  // At the end of the machine, when nothing is attached.
  void clear();

 private:
  class ShmFile;
  Result<int32_t> make(Task& task, int32_t key, uint32_t bytes, uint32_t flags);
  Result<ShmSegment*> lockable(Task& task, int32_t id, bool locks);
  // Somebody attaches or detaches. Linux: __shm_open, __shm_close.
  void opened(ShmSegment& segment);
  void closed(ShmSegment& segment);
  void destroy_if_unused(ShmSegment& segment);
  void destroy(ShmSegment& segment);

  Kernel& kernel_;
  IpcIds ids_;
  Limits limits_;
  uint64_t total_pages_ = 0;
};

}  // namespace fl::guest
