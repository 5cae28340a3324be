// FsCaches: the caches of the objects that files are made of, and make_file, which makes open files. Made with the Vfs.
// Linux counterparts: filp_cachep, dentry_cache, files_cachep, fs_cachep, ext4_inode_cachep.
//
// All that a program can make grow by opening, naming and mapping files is in simulated RAM. On the host's heap stay
// the control blocks of host descriptors (SharedFd): each belongs to one of these objects, so they are bounded by them.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "mmu/base/result.hpp"
#include "vm/kernel_caches.hpp"
#include "vm/memory_system.hpp"
#include "vm/slab/object_cache.hpp"

namespace fl::guest {

class FdTable;
class FsContext;
class LockTable;
struct HostInode;
struct LivePath;

// Of "dentry": room for the entries of tmpfs beside LivePath.
inline constexpr uint32_t kDentryBytes = 128;

class FsCaches {
 public:
  explicit FsCaches(vm::SlabAllocator& slab);

  vm::SharedObjectCache<LivePath> dentry;
  vm::SharedObjectCache<HostInode> host_inode;
  vm::SharedObjectCache<FdTable> files;
  vm::SharedObjectCache<FsContext> fs;

  // Where descriptor tables release their locks; set by the Vfs, null before.
  LockTable* locks = nullptr;

  vm::SlabAllocator& slab() const { return dentry.slab(); }
};

// An open file of class T in the cache "filp". ENOMEM.
template <class T, class... A>
Result<std::shared_ptr<T>> make_file(vm::MemorySystem& memory, A&&... args) {
  constexpr size_t kCountsBytes = 4 * sizeof(void*);
  static_assert(sizeof(T) + kCountsBytes <= vm::kFileBytes);
  try {
    return std::allocate_shared<T>(vm::SharedObjectAllocator<T>(memory.slab(), memory.caches().filp.cache()),
                                   std::forward<A>(args)...);
  } catch (const std::bad_alloc&) {
    return fail(Errno::kENOMEM);
  }
}

}  // namespace fl::guest
