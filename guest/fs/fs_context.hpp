// FsContext: a process's working directory and umask. Linux counterpart: struct fs_struct.
//
// Shared between tasks by CLONE_FS, copied by fork. Simplified: all processes have the same root directory.
#pragma once

#include <cstdint>
#include <memory>

#include "guest/fs/live_path.hpp"
#include "mmu/base/result.hpp"

namespace fl::guest {

class FsContext {
 public:
  FsContext(std::shared_ptr<LivePath> directory, uint32_t mask) : cwd(std::move(directory)), umask(mask) {}
  Result<std::shared_ptr<FsContext>> clone() const { return std::make_shared<FsContext>(*this); }

  std::shared_ptr<LivePath> cwd;
  uint32_t umask;
};

}  // namespace fl::guest
