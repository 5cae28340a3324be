// SeqFile: a file made of records, made as they are read, so that a long one costs no more memory than a short one.
// Linux counterpart: struct seq_file with seq_operations (fs/seq_file.c).
//
// A read gives what is left of the last one's records, then as many whole records as fit into the buffer: one page,
// more once a record was longer. The buffer is kvmalloc memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "guest/fs/kernel_text.hpp"
#include "guest/fs/open_file.hpp"

namespace fl::guest {

class SeqFile : public OpenFile {
 public:
  SeqFile(uint32_t flags, std::shared_ptr<LivePath> path, vm::MemorySystem& memory, const FileStat& stat)
      : OpenFile(flags, std::move(path)), stat_(stat), buffer_(memory) {}

  Result<FileStat> stat() override { return stat_; }
  bool seekable() const override { return true; }
  Result<uint32_t> read(IoBuffer& to, uint64_t& at) override;
  Result<uint64_t> seek(int64_t offset, uint32_t whence) override;
  Result<FsStat> statfs() override;
  // As the files of /proc/PID, which have no splice_read.
  bool can_splice_read() const override { return false; }

 protected:
  // Appends the record at `cursor` and moves `cursor` behind it; 0 is the first. False: there are no more. Linux:
  // start, show, next.
  virtual Result<bool> show(std::string& text, uint64_t& cursor) = 0;

 private:
  // The next records into the buffer, of which nothing is left. Empty afterwards: the end. An error: the next read
  // starts anew. ENOMEM, and the errors of show.
  Status fill(uint64_t wanted);
  Result<std::string> records(uint64_t wanted);
  // Goes to a position by making all that stands before it. Linux: traverse.
  Status go_to(uint64_t at);
  uint32_t left() const { return buffer_.size() - taken_; }

  FileStat stat_;
  KernelText buffer_;
  uint32_t taken_ = 0;  // of the buffer
  uint32_t most_ = kPageSize;
  uint64_t cursor_ = 0;
  static constexpr uint64_t kNowhere = ~uint64_t{0};
  uint64_t read_pos_ = kNowhere;  // where the buffer's rest stands
};

}  // namespace fl::guest
