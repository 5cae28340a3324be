// The caches and their names.
#include "vm/kernel_caches.hpp"

#include "vm/cache/mapping.hpp"
#include "vm/cache/page_tree.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/anon_vma.hpp"
#include "vm/mm/vm_area.hpp"

namespace fl::vm {

KernelCaches::KernelCaches(SlabAllocator& slab)
    : vm_area(slab, "vm_area_struct"),
      mm(slab, "mm_struct"),
      anon_vma(slab, "anon_vma"),
      anon_vma_chain(slab, "anon_vma_chain"),
      page_tree_node(slab, "radix_tree_node"),
      inode(slab, "inode_cache"),
      shmem_inode(slab, "shmem_inode_cache", {}, kShmemInodeBytes),
      filp(slab, "filp", {}, kFileBytes) {}

}  // namespace fl::vm
