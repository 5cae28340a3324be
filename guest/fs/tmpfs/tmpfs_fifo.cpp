// See tmpfs_fifo.hpp.
#include "guest/fs/tmpfs/tmpfs_fifo.hpp"

#include "guest/fs/fs_caches.hpp"
#include "guest/fs/tmpfs/tmpfs_file.hpp"

namespace fl::guest {
namespace {

class FifoEnd final : public PipeEnd {
 public:
  FifoEnd(uint32_t flags, std::shared_ptr<LivePath> path, std::shared_ptr<TmpfsInode> inode,
          std::shared_ptr<PipeBuffer> ring)
      : PipeEnd(flags, std::move(path), inode->ino, std::move(ring)), inode_(std::move(inode)) {
    const bool partner = readable() ? buffer().writers > 0 : buffer().readers > 0;
    waits_ = !partner && !nonblocking();
    partners_before_ = partner_openings();
    if (!partner && nonblocking()) {
      miss_no_writers();
    }
  }

  bool open_waits() const override { return waits_ && partner_openings() == partners_before_; }
  Result<FileStat> stat() override { return inode_->stat(); }
  Status chmod(const Caller& caller, uint32_t mode) override { return inode_->chmod(caller, mode); }
  Status chown(const Caller& caller, uint32_t uid, uint32_t gid) override { return inode_->chown(caller, uid, gid); }
  Status set_times(const Caller& caller, const TimeChanges& times) override { return inode_->set_times(caller, times); }
  Result<FsStat> statfs() override { return tmpfs_statfs(*inode_->super); }

 private:
  uint32_t partner_openings() const { return readable() ? buffer().writer_openings : buffer().reader_openings; }

  std::shared_ptr<TmpfsInode> inode_;
  bool waits_;
  uint32_t partners_before_;
};

}  // namespace

Result<std::shared_ptr<OpenFile>> open_fifo(vm::MemorySystem& memory, uint32_t flags, std::shared_ptr<LivePath> path,
                                            const std::shared_ptr<TmpfsInode>& inode) {
  std::shared_ptr<PipeBuffer> ring = inode->pipe.lock();
  if (ring == nullptr) {
    FL_TRY_ASSIGN(ring, make_pipe_buffer(memory));
    inode->pipe = ring;
  }
  const bool only_writes = (flags & OpenFlag::kAccessMode) == OpenFlag::kWriteOnly;
  if (only_writes && (flags & OpenFlag::kNonBlock) != 0 && ring->readers == 0) {
    return fail(Errno::kENXIO);
  }
  return make_file<FifoEnd>(memory, flags, std::move(path), inode, std::move(ring));
}

}  // namespace fl::guest
