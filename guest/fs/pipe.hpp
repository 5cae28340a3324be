// Pipes: PipeEnd, an open end (or both ends) of one. Linux counterpart: fs/pipe.c.
//
// A reader of an empty pipe with writers and a writer to a full one answer EAGAIN; the system call then sleeps on the
// wait queue. Simplified: no packets (O_DIRECT).
#pragma once

#include <cstdint>
#include <memory>

#include "guest/fs/open_file.hpp"
#include "guest/fs/pipe_buffer.hpp"

namespace fl::guest {

class PipeEnd : public OpenFile {
 public:
  // Counts as a reader, a writer or both, as `flags` say.
  PipeEnd(uint32_t flags, std::shared_ptr<LivePath> path, uint64_t inode, std::shared_ptr<PipeBuffer> buffer);
  ~PipeEnd() override;

  Result<FileStat> stat() override;
  Status chmod(const Caller& caller, uint32_t mode) override;
  Result<uint32_t> read(IoBuffer& to, uint64_t& at) override;
  Result<uint32_t> write(IoBuffer& from, uint64_t& at) override;
  uint32_t poll() override;
  WaitQueue* wait_queue() override { return &buffer_->waiting; }
  // A reader makes news only for a full pipe.
  bool wakes_waiters() const override { return true; }
  Result<FsStat> statfs() override;
  Result<uint32_t> ioctl(vm::UserAccess& user, uint32_t request, VirtAddr argument) override;

  // F_GETPIPE_SZ, F_SETPIPE_SZ. EINVAL, EBUSY, ENOMEM; EPERM: more than /proc/sys/fs/pipe-max-size, not by user 0.
  uint32_t size() const { return buffer_->capacity_pages() << kPageShift; }
  Result<uint32_t> resize(uint32_t bytes, const Caller& caller);

 protected:
  PipeBuffer& buffer() { return *buffer_; }
  const PipeBuffer& buffer() const { return *buffer_; }
  // A FIFO that no writer has opened since this end is not one that they have left: poll tells of no hang-up.
  void miss_no_writers() { writers_not_missed_ = buffer_->writer_openings; }

 private:
  uint64_t inode_;
  std::shared_ptr<PipeBuffer> buffer_;
  uint32_t writers_not_missed_ = 0;  // Linux: f_version of a FIFO
};

// Linux: alloc_pipe_info. ENOMEM.
Result<std::shared_ptr<PipeBuffer>> make_pipe_buffer(vm::MemorySystem& memory);

struct PipeEnds {
  std::shared_ptr<OpenFile> reader;
  std::shared_ptr<OpenFile> writer;
};
// `flags`: O_NONBLOCK and O_DIRECT (answered, not obeyed). `inode` names it in /proc/PID/fd.
// ENFILE (as Linux says of the pipe itself), ENOMEM.
Result<PipeEnds> make_pipe(vm::MemorySystem& memory, uint32_t flags, uint64_t inode, std::shared_ptr<LivePath> path);

}  // namespace fl::guest
