// The ring of a pipe and its two ends.
#include "guest/fs/pipe.hpp"

#include <algorithm>
#include <array>

#include "guest/fs/ioctl.hpp"
#include "guest/fs/synthetic.hpp"

namespace fl::guest {

class PipeBuffer {
 public:
  uint32_t used() const { return used_; }
  uint32_t room() const { return kPipeBytes - used_; }

  uint32_t fill(IoBuffer& from) {
    uint32_t done = 0;
    while (from.left() > 0 && room() > 0) {
      const uint32_t end = (start_ + used_) % kPipeBytes;
      const auto free = std::span(ring_).subspan(end, std::min(room(), kPipeBytes - end));
      const uint32_t moved = from.take(free);
      used_ += moved;
      done += moved;
      if (moved < free.size()) {
        break;
      }
    }
    return done;
  }

  uint32_t drain(IoBuffer& to) {
    uint32_t done = 0;
    while (to.left() > 0 && used_ > 0) {
      const auto piece = std::span(ring_).subspan(start_, std::min(used_, kPipeBytes - start_));
      const uint32_t moved = to.put(piece);
      start_ = (start_ + moved) % kPipeBytes;
      used_ -= moved;
      done += moved;
      if (moved < piece.size()) {
        break;
      }
    }
    return done;
  }

  uint32_t readers = 0, writers = 0;  // open ends
  WaitQueue waiting;
  uint32_t mode = FileMode::kFifo | 0600;

 private:
  std::vector<std::byte> ring_ = std::vector<std::byte>(kPipeBytes);
  uint32_t start_ = 0, used_ = 0;
};

namespace {

constexpr DeviceNumber kPipeDevice{0, 13};
constexpr uint64_t kPipeMagic = 0x50495045;

class PipeEnd final : public OpenFile {
 public:
  PipeEnd(uint32_t flags, std::shared_ptr<LivePath> path, uint64_t inode, std::shared_ptr<PipeBuffer> buffer)
      : OpenFile(flags, std::move(path)), inode_(inode), buffer_(std::move(buffer)) {
    (writable() ? buffer_->writers : buffer_->readers) += 1;
  }
  ~PipeEnd() override { (writable() ? buffer_->writers : buffer_->readers) -= 1; }

  Result<FileStat> stat() override {
    FileStat stat = synthetic_stat(kPipeDevice, inode_, buffer_->mode, {});
    stat.blksize = kPageSize;
    return stat;
  }
  Status chmod(uint32_t mode) override {
    buffer_->mode = FileMode::kFifo | (mode & FileMode::kPermissions);
    return {};
  }

  Result<uint32_t> read(IoBuffer& to, uint64_t&) override {
    if (to.left() == 0) {
      return 0;
    }
    if (buffer_->used() == 0) {
      return buffer_->writers == 0 ? Result<uint32_t>(0u) : fail(Errno::kEAGAIN);
    }
    const uint32_t done = buffer_->drain(to);
    return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
  }

  // Up to PIPE_BUF bytes go in at once or not at all.
  Result<uint32_t> write(IoBuffer& from, uint64_t&) override {
    if (from.left() == 0) {
      return 0;
    }
    if (buffer_->readers == 0) {
      return fail(Errno::kEPIPE);
    }
    if (buffer_->room() == 0 || (from.left() <= kPipeAtomicBytes && buffer_->room() < from.left())) {
      return fail(Errno::kEAGAIN);
    }
    const uint32_t done = buffer_->fill(from);
    return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
  }

  uint32_t poll() override {
    if (writable()) {
      return (buffer_->room() >= kPipeAtomicBytes ? uint32_t{PollEvent::kOut | PollEvent::kWriteNormal} : 0u) |
             (buffer_->readers == 0 ? uint32_t{PollEvent::kErr} : 0u);
    }
    return (buffer_->used() > 0 ? uint32_t{PollEvent::kIn | PollEvent::kReadNormal} : 0u) |
           (buffer_->writers == 0 ? uint32_t{PollEvent::kHup} : 0u);
  }

  WaitQueue* wait_queue() override { return &buffer_->waiting; }
  Result<FsStat> statfs() override { return synthetic_statfs(kPipeMagic); }
  Result<uint32_t> ioctl(vm::UserAccess& user, uint32_t request, VirtAddr argument) override {
    if (request != Ioctl::kFionread) {
      return fail(Errno::kENOTTY);
    }
    FL_TRY(user.put(argument, static_cast<int32_t>(buffer_->used())));
    return 0;
  }

 private:
  uint64_t inode_;
  std::shared_ptr<PipeBuffer> buffer_;
};

}  // namespace

PipeEnds make_pipe(uint32_t flags, uint64_t inode, std::shared_ptr<LivePath> path) {
  const auto buffer = std::make_shared<PipeBuffer>();
  return {std::make_shared<PipeEnd>(flags | OpenFlag::kReadOnly, path, inode, buffer),
          std::make_shared<PipeEnd>(flags | OpenFlag::kWriteOnly, path, inode, buffer)};
}

}  // namespace fl::guest
