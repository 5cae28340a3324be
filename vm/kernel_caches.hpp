// KernelCaches: the caches of vm's own objects, made at boot. Linux counterpart: vm_area_cachep, mm_cachep,
// anon_vma_cachep, radix_tree_node_cachep, filp_cachep, made by proc_caches_init and its like.
//
// Names are those of /proc/slabinfo. A Mapping stands in a cache of inodes, as struct address_space stands in struct
// inode: "shmem_inode_cache" for shared memory, "inode_cache" for files of a store. "filp" holds whatever is an open
// file: guest/fs places its kinds of files there, of at most kFileBytes with their counts; they are MappedFiles too.
#pragma once

#include "vm/slab/object_cache.hpp"

namespace fl::vm {

class AddressSpace;
class Mapping;
class SlabAllocator;
struct AnonVma;
struct AnonVmaChain;
struct MappedFile;
struct PageTreeNode;
struct VmArea;

inline constexpr uint32_t kFileBytes = 448;
// Of "shmem_inode_cache": room for the inodes of guest/fs/tmpfs, which contain a Mapping.
inline constexpr uint32_t kShmemInodeBytes = 512;

class KernelCaches {
 public:
  explicit KernelCaches(SlabAllocator& slab);

  ObjectCache<VmArea> vm_area;
  ObjectCache<AddressSpace> mm;
  ObjectCache<AnonVma> anon_vma;
  ObjectCache<AnonVmaChain> anon_vma_chain;
  ObjectCache<PageTreeNode> page_tree_node;
  SharedObjectCache<Mapping> inode;
  SharedObjectCache<Mapping> shmem_inode;
  SharedObjectCache<MappedFile> filp;
};

}  // namespace fl::vm
