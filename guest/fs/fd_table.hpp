// FdTable: a process's file descriptors. Linux counterpart: struct files_struct, fs/file.c.
//
// Shared between tasks by CLONE_FILES, copied by fork. The descriptor limit is the caller's RLIMIT_NOFILE. It lives in
// the cache "files_cache", its entries in kmalloc memory: as that gives at most 4 MiB in one piece, a table ends at
// some 170,000 entries, with ENOMEM.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "guest/fs/fs_caches.hpp"
#include "guest/fs/open_file.hpp"
#include "mmu/base/result.hpp"
#include "vm/slab/stl_allocator.hpp"

namespace fl::guest {

enum class CloseOnExec : bool { kNo, kYes };

class FdTable {
 public:
  struct Entry {
    std::shared_ptr<OpenFile> file;  // null: free
    CloseOnExec close_on_exec = CloseOnExec::kNo;
  };

  explicit FdTable(FsCaches& caches) : caches_(caches), entries_(vm::SlabStlAllocator<Entry>(caches.slab())) {}
  FdTable(const FdTable&) = default;
  FdTable& operator=(const FdTable&) = delete;
  ~FdTable();
  // ENOMEM.
  static Result<std::shared_ptr<FdTable>> create(FsCaches& caches) { return make_shared_object(caches.files, caches); }

  // The open file of a descriptor; null if there is none. Linux: fdget_raw.
  OpenFile* get(uint32_t fd) const { return fd < entries_.size() ? entries_[fd].file.get() : nullptr; }
  std::shared_ptr<OpenFile> share(uint32_t fd) const { return fd < entries_.size() ? entries_[fd].file : nullptr; }
  // The entry of an open descriptor, or null.
  Entry* entry(uint32_t fd) { return fd < entries_.size() && entries_[fd].file != nullptr ? &entries_[fd] : nullptr; }

  // The lowest free descriptor from `lowest` on, its entry made: install of the same arguments will not fail. EMFILE if
  // that is not below `limit`; ENOMEM. Linux: get_unused_fd_flags.
  Result<uint32_t> lowest_free(uint64_t limit, uint32_t lowest);
  // Puts a file at the lowest free descriptor from `lowest` on. EMFILE, ENOMEM.
  Result<uint32_t> install(std::shared_ptr<OpenFile> file, CloseOnExec close_on_exec, uint64_t limit,
                           uint32_t lowest = 0);
  // Puts a file at exactly `fd`, closing what was there. EBADF if it is not below `limit`; ENOMEM.
  Status install_at(uint32_t fd, std::shared_ptr<OpenFile> file, CloseOnExec close_on_exec, uint64_t limit);
  // Takes a descriptor away; EBADF. The file closes when the returned pointer goes, if it was the last.
  Result<std::shared_ptr<OpenFile>> close(uint32_t fd);
  // Linux: do_close_on_exec.
  void close_on_exec();
  void close_all();
  // For fork. ENOMEM. Linux: dup_fd.
  Result<std::shared_ptr<FdTable>> clone() const { return make_shared_object(caches_.files, *this); }

  std::span<const Entry> entries() const { return entries_; }

  // How many descriptors the table of a kernel with pointers of that size has room for; select looks no further. Linux:
  // fdtable::max_fds, which begins with NR_OPEN_DEFAULT.
  uint32_t max_fds(uint32_t pointer_bytes) const;

 private:
  Status grow_to(uint32_t fd);
  // A descriptor of this file was closed: the record locks on it go.
  void note_closed(OpenFile* file) const;

  FsCaches& caches_;
  vm::SlabVector<Entry> entries_;
};

}  // namespace fl::guest
