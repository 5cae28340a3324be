// WriteCount: who may write a file's bytes: writers and programs that run from it exclude each other (ETXTBSY). Linux
// counterpart: inode->i_writecount, get_write_access, deny_write_access.
#pragma once

#include <memory>
#include <utility>

#include "mmu/base/result.hpp"

namespace fl::guest {

class OpenFile;

// In an inode.
struct WriteCount {
  int count = 0;  // open files that may write; below 0: programs that run from the file
};

// A claim on an inode's count, for as long as it lives. Whoever has it keeps the inode.
class WriteClaim {
 public:
  enum class Kind : int { kWrite = 1, kExecute = -1 };

  WriteClaim() = default;
  // ETXTBSY: the other kind has the file.
  static Result<WriteClaim> take(WriteCount& of, Kind kind) {
    const int step = static_cast<int>(kind);
    if (of.count * step < 0) {
      return fail(Errno::kETXTBSY);
    }
    of.count += step;
    return WriteClaim(of, step);
  }
  WriteClaim(WriteClaim&& other) noexcept : of_(std::exchange(other.of_, nullptr)), step_(other.step_) {}
  WriteClaim& operator=(WriteClaim&& other) noexcept {
    std::swap(of_, other.of_);
    std::swap(step_, other.step_);
    return *this;
  }
  ~WriteClaim() {
    if (of_ != nullptr) {
      of_->count -= step_;
    }
  }

 private:
  WriteClaim(WriteCount& of, int step) : of_(&of), step_(step) {}
  WriteCount* of_ = nullptr;
  int step_ = 0;
};

// A program that runs: nobody may write its file. Shared by the tasks that run it. Linux: mm->exe_file with
// deny_write_access.
struct RunningProgram {
  std::shared_ptr<OpenFile> file;
  WriteClaim claim;  // goes before the file
};

}  // namespace fl::guest
