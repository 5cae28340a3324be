// The ring of a pipe and its two ends.
#include "guest/fs/pipe.hpp"

#include <algorithm>
#include <array>

#include "guest/fs/ioctl.hpp"
#include "guest/fs/synthetic.hpp"
#include "vm/kernel_space/kmap_local.hpp"
#include "vm/memory_system.hpp"

namespace fl::guest {

// The ring: pages of simulated memory, taken when they are written and given back when they are read. Linux: struct
// pipe_inode_info, pipe_write, pipe_read.
class PipeBuffer {
 public:
  explicit PipeBuffer(vm::MemorySystem& memory) : memory_(memory) {}
  PipeBuffer(const PipeBuffer&) = delete;
  PipeBuffer& operator=(const PipeBuffer&) = delete;
  ~PipeBuffer() {
    while (count_ > 0) {
      release_first();
    }
  }

  uint32_t used() const { return used_; }
  bool full() const { return count_ == kPipePages; }
  // Whether some of a write of so many bytes goes in, if it is small all of it.
  bool accepts(uint32_t bytes) const { return !full() || merges(bytes & kPageOffsetMask); }

  // How much went in. ENOMEM only if nothing did.
  Result<uint32_t> fill(IoBuffer& from) {
    uint32_t done = 0;
    // What is more than whole pages joins the last page if it fits in there.
    if (const uint32_t odd = from.left() & kPageOffsetMask; odd != 0 && merges(odd)) {
      done = append(last(), from, odd);
      if (done < odd) {
        return done;
      }
    }
    while (from.left() > 0 && !full()) {
      const auto page = memory_.pages().alloc_pages(vm::kGfpHighUser | vm::kGfpAccount);
      if (!page) {
        return done > 0 ? Result<uint32_t>(done) : fail(page.error());
      }
      ++count_;
      last() = {.page = *page};
      const uint32_t wanted = std::min<uint32_t>(from.left(), kPageSize);
      const uint32_t moved = append(last(), from, wanted);
      done += moved;
      if (moved == 0) {
        memory_.pages().free_pages(*page);
        --count_;
      }
      if (moved < wanted) {
        break;
      }
    }
    return done;
  }

  uint32_t drain(IoBuffer& to) {
    uint32_t done = 0;
    while (to.left() > 0 && count_ > 0) {
      Slot& slot = slots_[first_];
      const uint32_t wanted = std::min(to.left(), slot.length);
      uint32_t moved = 0;
      {
        const vm::KmapLocal map(memory_.kmap_slots(), slot.page);
        moved = to.put(std::span(map.data() + slot.offset, wanted));
      }
      slot.offset += moved;
      slot.length -= moved;
      used_ -= moved;
      done += moved;
      if (slot.length == 0) {
        release_first();
      }
      if (moved < wanted) {
        break;
      }
    }
    return done;
  }

  uint32_t readers = 0, writers = 0;  // open ends
  WaitQueue waiting;
  uint32_t mode = FileMode::kFifo | 0600;

 private:
  // Linux: struct pipe_buffer.
  struct Slot {
    Pfn page{};
    uint32_t offset = 0;
    uint32_t length = 0;
  };
  Slot& last() { return slots_[(first_ + count_ - 1) % kPipePages]; }
  const Slot& last() const { return slots_[(first_ + count_ - 1) % kPipePages]; }
  bool merges(uint32_t bytes) const {
    return count_ > 0 && bytes != 0 && last().offset + last().length + bytes <= kPageSize;
  }
  uint32_t append(Slot& slot, IoBuffer& from, uint32_t bytes) {
    const vm::KmapLocal map(memory_.kmap_slots(), slot.page);
    const uint32_t moved = from.take(std::span(map.data() + slot.offset + slot.length, bytes));
    slot.length += moved;
    used_ += moved;
    return moved;
  }
  void release_first() {
    memory_.pages().free_pages(slots_[first_].page);
    used_ -= slots_[first_].length;
    first_ = (first_ + 1) % kPipePages;
    --count_;
  }

  vm::MemorySystem& memory_;
  std::array<Slot, kPipePages> slots_{};
  uint32_t first_ = 0, count_ = 0;
  uint32_t used_ = 0;
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
  ~PipeEnd() override {
    (writable() ? buffer_->writers : buffer_->readers) -= 1;
    buffer_->waiting.wake_all();
  }

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
    const bool was_full = buffer_->full();
    const uint32_t done = buffer_->drain(to);
    if (was_full && !buffer_->full()) {
      buffer_->waiting.wake_all(PollEvent::kOut | PollEvent::kWriteNormal);
    }
    return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
  }

  // Up to PIPE_BUF bytes go in at once or not at all: they need one page.
  Result<uint32_t> write(IoBuffer& from, uint64_t&) override {
    if (from.left() == 0) {
      return 0;
    }
    if (buffer_->readers == 0) {
      return fail(Errno::kEPIPE);
    }
    if (!buffer_->accepts(from.left())) {
      return fail(Errno::kEAGAIN);
    }
    FL_TRY_ASSIGN(const uint32_t done, buffer_->fill(from));
    buffer_->waiting.wake_all(PollEvent::kIn | PollEvent::kReadNormal);
    return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
  }

  uint32_t poll() override {
    if (writable()) {
      return (buffer_->full() ? 0u : uint32_t{PollEvent::kOut | PollEvent::kWriteNormal}) |
             (buffer_->readers == 0 ? uint32_t{PollEvent::kErr} : 0u);
    }
    return (buffer_->used() > 0 ? uint32_t{PollEvent::kIn | PollEvent::kReadNormal} : 0u) |
           (buffer_->writers == 0 ? uint32_t{PollEvent::kHup} : 0u);
  }

  WaitQueue* wait_queue() override { return &buffer_->waiting; }
  // A reader makes news only for a full pipe.
  bool wakes_waiters() const override { return true; }
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

PipeEnds make_pipe(vm::MemorySystem& memory, uint32_t flags, uint64_t inode, std::shared_ptr<LivePath> path) {
  const auto buffer = std::make_shared<PipeBuffer>(memory);
  return {std::make_shared<PipeEnd>(flags | OpenFlag::kReadOnly, path, inode, buffer),
          std::make_shared<PipeEnd>(flags | OpenFlag::kWriteOnly, path, inode, buffer)};
}

}  // namespace fl::guest
