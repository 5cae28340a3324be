// FsContext: a process's working directory and umask. Linux counterpart: struct fs_struct.
//
// Shared between tasks by CLONE_FS, copied by fork; in the cache "fs_cache". Simplified: all processes have the same
// root directory.
#pragma once

#include <cstdint>
#include <memory>

#include "guest/fs/fs_caches.hpp"
#include "guest/fs/live_path.hpp"
#include "mmu/base/result.hpp"

namespace fl::guest {

class FsContext {
 public:
  FsContext(FsCaches& caches, std::shared_ptr<LivePath> directory, uint32_t mask)
      : cwd(std::move(directory)), umask(mask), caches_(caches) {}
  // ENOMEM. Linux: copy_fs_struct.
  Result<std::shared_ptr<FsContext>> clone() const { return make_shared_object(caches_.fs, *this); }

  std::shared_ptr<LivePath> cwd;
  uint32_t umask;

 private:
  FsCaches& caches_;
};

}  // namespace fl::guest
