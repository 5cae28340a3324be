// Open files of a tmpfs: TmpfsFile (a regular file, also a memfd), TmpfsDirectory, TmpfsPath (O_PATH and what has no
// operations). Linux counterparts: shmem_file_operations, simple_dir_operations, mm/memfd.c.
//
// A memfd is a file of a tmpfs that is mounted nowhere, as on Linux.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "guest/fs/open_file.hpp"
#include "guest/fs/tmpfs/seals.hpp"
#include "guest/fs/tmpfs/tmpfs_inode.hpp"

namespace fl::guest {

// What all open files of an inode can do.
class TmpfsPath : public OpenFile {
 public:
  TmpfsPath(uint32_t flags, std::shared_ptr<LivePath> path, std::shared_ptr<TmpfsInode> inode)
      : OpenFile(flags, std::move(path)), inode_(std::move(inode)) {}

  Result<FileStat> stat() override { return inode_->stat(); }
  bool is_directory() const override { return inode_->is_directory(); }
  Status sync() override { return {}; }
  Status chmod(const Caller& caller, uint32_t mode) override { return inode_->chmod(caller, mode); }
  Status chown(const Caller& caller, uint32_t uid, uint32_t gid) override { return inode_->chown(caller, uid, gid); }
  Status set_times(const Caller& caller, const TimeChanges& times) override { return inode_->set_times(caller, times); }
  Result<FsStat> statfs() override;

  const std::shared_ptr<TmpfsInode>& inode() const { return inode_; }

 protected:
  // Reading is noted unless O_NOATIME says otherwise.
  void note_read() {
    if ((flags() & OpenFlag::kNoAtime) == 0) {
      inode_->touch_read();
    }
  }

 private:
  std::shared_ptr<TmpfsInode> inode_;
};

class TmpfsFile final : public TmpfsPath {
 public:
  // `claim`: of a file that may be written.
  TmpfsFile(uint32_t flags, std::shared_ptr<LivePath> path, std::shared_ptr<TmpfsInode> inode, WriteClaim claim)
      : TmpfsPath(flags, std::move(path), std::move(inode)), claim_(std::move(claim)) {}
  WriteCount* write_count() override { return &inode()->writers; }
  bool seekable() const override { return true; }
  Result<uint32_t> read(IoBuffer& to, uint64_t& at) override;
  Result<uint32_t> write(IoBuffer& from, uint64_t& at) override;
  Result<uint64_t> seek(int64_t offset, uint32_t whence) override;
  Status truncate(uint64_t size) override;
  Status allocate(uint32_t mode, uint64_t offset, uint64_t length) override;
  Result<std::shared_ptr<const vm::MappedFile>> mapped_file() override;

  uint32_t seals() const { return inode()->seals; }
  // EPERM: not open for writing, or sealing is over; EINVAL: no such seal; EBUSY: kWrite while somebody may write
  // through a mapping.
  Status add_seals(uint32_t seals);

 private:
  Status make_hole(uint64_t offset, uint64_t length);

  vm::MappedFile mapped_;
  WriteClaim claim_;
};

class TmpfsDirectory final : public TmpfsPath {
 public:
  using TmpfsPath::TmpfsPath;
  bool seekable() const override { return true; }
  Result<uint32_t> read(IoBuffer&, uint64_t&) override { return fail(Errno::kEISDIR); }
  Result<uint64_t> seek(int64_t offset, uint32_t whence) override;
  // Newest first, as Linux's simple directories are listed; a position is an entry's own, so that removing and adding
  // while somebody lists disturbs nothing.
  Status list(DirectorySink& sink) override;
};

// Linux: shmem_statfs.
FsStat tmpfs_statfs(const TmpfsSuper& super);

// A file without a name in a tmpfs that is mounted nowhere. `seals`: those that hold from the start. ENOSPC, ENOMEM.
Result<std::shared_ptr<OpenFile>> make_memfd(const std::shared_ptr<TmpfsSuper>& super, const Caller& caller,
                                             std::shared_ptr<LivePath> path, uint32_t seals);

}  // namespace fl::guest
