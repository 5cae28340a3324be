// The caches and their names.
#include "guest/fs/fs_caches.hpp"

#include "guest/fs/fd_table.hpp"
#include "guest/fs/fs_context.hpp"
#include "guest/fs/host/host_inode.hpp"
#include "guest/fs/live_path.hpp"

namespace fl::guest {

FsCaches::FsCaches(vm::SlabAllocator& slab)
    : dentry(slab, "dentry", {}, kDentryBytes),
      host_inode(slab, "ext4_inode_cache"),
      files(slab, "files_cache"),
      fs(slab, "fs_cache") {}

}  // namespace fl::guest
