// TmpfsFifo: an open FIFO of a tmpfs.
#pragma once

#include <memory>
#include <utility>

#include "guest/fs/fifo.hpp"
#include "guest/fs/tmpfs/tmpfs_file.hpp"
#include "guest/fs/tmpfs/tmpfs_inode.hpp"

namespace fl::guest {

class TmpfsFifo final : public FifoEnd {
 public:
  TmpfsFifo(uint32_t flags, std::shared_ptr<LivePath> path, std::shared_ptr<TmpfsInode> inode,
            std::shared_ptr<PipeBuffer> ring)
      : FifoEnd(flags, std::move(path), inode->ino, std::move(ring)), inode_(std::move(inode)) {}
  Result<FileStat> stat() override { return inode_->stat(); }
  Status chmod(const Caller& caller, uint32_t mode) override { return inode_->chmod(caller, mode); }
  Status chown(const Caller& caller, uint32_t uid, uint32_t gid) override { return inode_->chown(caller, uid, gid); }
  Status set_times(const Caller& caller, const TimeChanges& times) override { return inode_->set_times(caller, times); }
  Result<FsStat> statfs() override { return tmpfs_statfs(*inode_->super); }

 private:
  std::shared_ptr<TmpfsInode> inode_;
};

}  // namespace fl::guest
