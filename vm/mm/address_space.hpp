// AddressSpace: what a process can address, and the memory calls that change it. Linux counterpart: mm_struct,
// mm/mmap.c, mprotect.c, mremap.c, madvise.c, mlock.c.
//
// Owns its areas and page tables; borrows the MemorySystem. Every call takes guest values unchecked and answers as the
// system call would. Methods are defined one file an idea: mmap.cpp, munmap.cpp, mprotect.cpp, mremap.cpp, ...
#pragma once

#include <algorithm>
#include <boost/intrusive/list_hook.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "mmu/page_tables.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/mm/limits.hpp"
#include "vm/mm/vm_area.hpp"
#include "vm/mm/vma_tree.hpp"
#include "vm/slab/object_cache.hpp"
#include "vm/swap/swap_entry.hpp"

namespace fl::vm {

class MemorySystem;

// PROT_*, MAP_* and friends with the i386 values.
struct Prot {
  enum Bit : uint32_t { kRead = 1, kWrite = 2, kExec = 4, kSem = 8, kGrowsDown = 0x01000000, kGrowsUp = 0x02000000 };
};
struct MapFlag {
  enum Bit : uint32_t {
    kShared = 0x01,
    kPrivate = 0x02,
    kSharedValidate = 0x03,
    kTypeMask = 0x0f,
    kFixed = 0x10,
    kAnonymous = 0x20,
    kGrowsDown = 0x100,
    kDenyWrite = 0x800,
    kExecutable = 0x1000,
    kLocked = 0x2000,
    kNoReserve = 0x4000,
    kPopulate = 0x8000,
    kNonBlock = 0x10000,
    kStack = 0x20000,
    kHugeTlb = 0x40000,
    kSync = 0x80000,
    kFixedNoReplace = 0x100000,
  };
};
struct MremapFlag {
  enum Bit : uint32_t { kMayMove = 1, kFixed = 2, kDontUnmap = 4 };
};

// One mremap; sizes in whole pages, as wide as rounding up needs.
struct MremapRequest {
  VirtAddr old_addr;
  uint64_t old_size = 0, new_size = 0;
  uint32_t flags = 0;  // MremapFlag bits
  VirtAddr new_addr;
};

struct MmapRequest {
  VirtAddr addr;  // hint, or the place with kFixed
  uint32_t length = 0;
  uint32_t prot = 0;                       // Prot bits
  uint32_t flags = 0;                      // MapFlag bits
  std::shared_ptr<const MappedFile> file;  // null if kAnonymous
  uint32_t pgoff = 0;                      // in pages
};

// A mapping whose pages are given by the kernel, not by a file: vDSO and vvar. Linux: vm_special_mapping.
struct SpecialMapping {
  std::string_view name;    // "[vdso]", "[vvar]"
  std::vector<Pfn> frames;  // one for each page; a missing one (frame 0) is SIGBUS
};

// Counters in pages. Linux: mm->total_vm, data_vm, stack_vm, exec_vm, locked_vm, rss_stat.
struct MemoryUse {
  uint32_t total_vm = 0, data_vm = 0, stack_vm = 0, exec_vm = 0, locked_vm = 0;
  uint32_t anon_rss = 0, file_rss = 0, shmem_rss = 0;
  uint32_t hiwater_rss = 0;
  uint32_t swap_entries = 0;  // Linux: MM_SWAPENTS
  uint32_t rss() const { return anon_rss + file_rss + shmem_rss; }
};

// Code, data and stack borders for /proc and brk; set by the loader. Linux: mm->start_code etc.
struct ProgramLayout {
  VirtAddr start_code, end_code, start_data, end_data;
  VirtAddr start_brk, brk;
  VirtAddr start_stack;
  VirtAddr arg_start, arg_end, env_start, env_end;
};

// Whether locking faults the pages in. Linux: MLOCK_ONFAULT.
enum class LockPages : uint8_t { kNow, kOnFault };

// What mbind does about pages that are on other nodes than the policy names. Linux: MPOL_MF_STRICT.
enum class MisplacedPages : bool { kLeave, kRefuse };

// Whether private copies of a file's pages go with them. Linux: zap_details::even_cows.
enum class ZapCopies : bool { kNo, kYes };

class AddressSpace {
 public:
  // Passed to the constructor, which the cache must be able to call.
  class Key {
    friend class AddressSpace;
    Key() = default;
  };
  // Owns one; gives it back to the cache "mm_struct".
  using Ptr = ObjectCache<AddressSpace>::Ptr;
  // An empty address space. ENOMEM. Linux: mm_alloc.
  static Result<Ptr> create(MemorySystem& memory, const MemoryLimits& limits);
  AddressSpace(Key, MemorySystem& memory, mmu::PageTables tables, const MemoryLimits& limits);
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;
  // Unmaps everything. Linux: exit_mmap.
  ~AddressSpace();
  // A copy for a child process: all areas but those of MADV_DONTFORK, with the entries of areas that were ever written;
  // their pages are write-protected on both sides (rules H1 to H3). ENOMEM leaves only the protection. Linux: dup_mm.
  Result<Ptr> fork();

  MemorySystem& memory() { return memory_; }
  mmu::PageTables& tables() { return tables_; }
  const mmu::PageTables& tables() const { return tables_; }
  const VmaTree& areas() const { return areas_; }
  const MemoryUse& use() const { return use_; }
  ProgramLayout& layout() { return layout_; }
  const ProgramLayout& layout() const { return layout_; }
  // Limits are the owner task's rlimits; a change is seen by the next call.
  const MemoryLimits& limits() const { return limits_; }
  void set_limits(const MemoryLimits& limits) { limits_ = limits; }
  // READ_IMPLIES_EXEC of the personality (ELF without PT_GNU_STACK). Rule C6.
  bool read_implies_exec() const { return read_implies_exec_; }
  void set_read_implies_exec(bool on) { read_implies_exec_ = on; }
  // Top of the region for mappings without an address.
  VirtAddr mmap_base() const { return mmap_base_; }
  void set_mmap_base(VirtAddr base) { mmap_base_ = base; }
  // May map below kMmapMinAddr (CAP_SYS_RAWIO).
  void set_may_map_low(bool may) { may_map_low_ = may; }
  // Its owner is root, who has all capabilities: CAP_IPC_LOCK and CAP_SYS_ADMIN too.
  bool may_map_low() const { return may_map_low_; }

  // Made by fork: its areas lost their locks, or their pages (MADV_WIPEONFORK), and were not merged. For verification.
  bool came_by_fork() const { return came_by_fork_; }

  // --- system calls; `task` is charged for faults that populate the new pages ---
  Result<VirtAddr> mmap(const MmapRequest& request, FaultCounters& task);
  Status munmap(VirtAddr addr, uint32_t length);
  // Copies for a locked area that becomes writable are made, and charged, at once.
  Status mprotect(VirtAddr addr, uint32_t length, uint32_t prot, FaultCounters& task);
  // The new break, or the old one if the request cannot be met (as the system call answers).
  VirtAddr brk(VirtAddr request, FaultCounters& task);
  Result<VirtAddr> mremap(VirtAddr old_addr, uint32_t old_length, uint32_t new_length, uint32_t flags,
                          VirtAddr new_addr, FaultCounters& task);
  // Advice that one process may give to another. Linux: process_madvise_behavior_valid.
  static bool may_advise_others(int advice);
  Status madvise(VirtAddr addr, uint32_t length, int advice, FaultCounters& task);
  Status mlock(VirtAddr addr, uint32_t length, FaultCounters& task, LockPages pages = LockPages::kNow);
  // Gives [start, end) a policy; both ends at pages. EFAULT: a hole; EIO: misplaced pages, if those are refused;
  // ENOMEM.
  Status mbind(VirtAddr start, VirtAddr end, const MemPolicy& policy, MisplacedPages misplaced);
  Status munlock(VirtAddr addr, uint32_t length);
  Status mlockall(uint32_t flags, FaultCounters& task);
  Status munlockall();
  Status msync(VirtAddr addr, uint32_t length, uint32_t flags);
  // One byte a page from addr on into `resident`, as far as one area and `resident` go: 1 if the page is in memory. Of
  // files whose cached pages the caller may not know, all are said to be. How many; ENOMEM: no area there. Linux:
  // do_mincore.
  Result<uint32_t> mincore(VirtAddr addr, std::span<uint8_t> resident,
                           const std::function<bool(const MappedFile&)>& may_know);
  // Maps other pages of the same file in a shared area, by a mapping of its own. EINVAL. Linux: remap_file_pages as it
  // is since 4.0.
  Status remap_file_pages(VirtAddr addr, uint32_t length, uint32_t prot, uint32_t pgoff, uint32_t flags,
                          FaultCounters& task);

  // --- for loaders ---
  // A private anonymous area at a fixed place, in place of what stands there. Linux: vm_brk_flags.
  Status map_anonymous_fixed(VirtAddr addr, uint32_t length, uint32_t prot);
  // The stack's first area, [top - pages, top), growing down. Linux: setup_arg_pages.
  Status map_stack(VirtAddr top, uint32_t bytes, uint32_t vm_flags);
  // A special mapping of `mapping.frames.size()` pages at the place a search from the top gives (addr 0) or at addr.
  // `mapping` must outlive the address space. Linux: _install_special_mapping.
  Result<VirtAddr> map_special(VirtAddr addr, const SpecialMapping& mapping, uint32_t vm_flags);
  // A free range of `length` bytes as mmap would choose it for this hint. Linux: get_unmapped_area.
  Result<VirtAddr> unmapped_area(VirtAddr hint, uint32_t length) const;

  // --- for the fault handler ---
  // The area that holds va, after growing a stack down to it if need be; an error names why not.
  // `grew` tells whether it did. Linux: lock_mm_and_find_vma, expand_stack.
  tl::expected<VmArea*, FaultResult> find_area_for_fault(VirtAddr va, bool& grew);
  MemoryUse& use_mutable() { return use_; }
  // The OOM killer has given its private memory back: it must not be used any more. Linux: MMF_UNSTABLE.
  bool unstable() const { return unstable_; }
  void set_unstable() { unstable_ = true; }

  // Drops the pages of [start, end) inside one area: clears entries, flushes, then releases the frames. Linux:
  // unmap_page_range.
  void zap_range(VmArea& area, VirtAddr start, VirtAddr end, ZapCopies copies = ZapCopies::kYes);
  // An entry that held this slot of swap, or said that its page is lost, has been cleared.
  void free_swap_entry(SwapEntry entry);

  // MemorySystem's list of address spaces. Linux: mm->mmlist.
  using ListHook = boost::intrusive::list_member_hook<>;
  ListHook list_hook;

 private:
  friend class AreaEditor;
  friend class MmCall;

  // Whether `pages` more pages with these flags stay within RLIMIT_AS and RLIMIT_DATA. Linux: may_expand_vm.
  bool may_expand(uint32_t vm_flags, uint32_t pages) const;
  // Whether `bytes` more locked bytes stay within RLIMIT_MEMLOCK. Linux: mlock_future_check.
  bool may_lock(uint32_t bytes) const;
  // Where mmap puts the area, by MAP_FIXED or by search. Linux: get_unmapped_area.
  Result<VirtAddr> choose_address(VirtAddr addr, uint32_t length, uint32_t flags) const;
  // Status of a lock-flag change over a range. Linux: apply_vma_lock_flags.
  Status set_lock_flags(VirtAddr addr, uint64_t length, uint32_t lock_flags);
  // mremap's parts. Linux: vma_to_resize (check_prep_vma), mremap_to, remap_move, move_vma.
  Status check_resize(const VmArea& area, const MremapRequest& call) const;
  Result<VirtAddr> mremap_to(MremapRequest call, FaultCounters& task);
  Result<VirtAddr> mremap_many(const MremapRequest& call, FaultCounters& task);
  Result<VirtAddr> move_area(VmArea& area, const MremapRequest& call, FaultCounters& task);
  Status grow_stack(VmArea& area, VirtAddr va);

  MemorySystem& memory_;
  mmu::PageTables tables_;
  VmaTree areas_;
  MemoryUse use_;
  MemoryLimits limits_;
  ProgramLayout layout_;
  VirtAddr mmap_base_;
  bool read_implies_exec_ = false;
  bool may_map_low_ = false;
  bool came_by_fork_ = false;
  bool unstable_ = false;
  uint32_t default_flags_ = 0;  // kLocked after mlockall(MCL_FUTURE). Linux: mm->def_flags
  uint32_t call_depth_ = 0;     // calls that change the areas, one inside the other. For verification
};

}  // namespace fl::vm
