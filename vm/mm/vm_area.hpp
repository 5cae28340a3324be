// VmArea: one mapping of an address space. Linux counterpart: struct vm_area_struct, VM_* flags.
//
// Lives in the cache "vm_area_struct", made and freed by AreaEditor alone. Two neighbours that could be one are merged
// when they are made (AreaEditor::merge); that is not cosmetics: a fork copies by VMA.
#pragma once

#include <boost/intrusive/list_hook.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/cache/readahead.hpp"
#include "vm/mm/anon_vma.hpp"
#include "vm/phys/mempolicy.hpp"

namespace fl::vm {

class AddressSpace;
class Mapping;
struct SpecialMapping;

// Linux's VM_* bits, by their values.
struct VmFlag {
  enum Bit : uint32_t {
    kRead = 0x1,
    kWrite = 0x2,
    kExec = 0x4,
    kShared = 0x8,
    kMayRead = 0x10,
    kMayWrite = 0x20,
    kMayExec = 0x40,
    kMayShare = 0x80,
    kGrowsDown = 0x100,
    kPfnMap = 0x400,  // frames without struct page bookkeeping: vvar
    kLocked = 0x2000,
    kIo = 0x4000,  // of a device, or like one: vvar
    kSeqRead = 0x8000,
    kRandRead = 0x10000,
    kDontCopy = 0x20000,
    kDontExpand = 0x40000,
    kLockOnFault = 0x80000,
    kAccount = 0x100000,
    kNoReserve = 0x200000,
    kWipeOnFork = 0x2000000,
    kDontDump = 0x4000000,
    kHugePage = 0x20000000,
    kNoHugePage = 0x40000000,
    kMergeable = 0x80000000,
  };
};
// Linux: VM_LOCKED_MASK.
inline constexpr uint32_t kVmLockFlags = VmFlag::kLocked | VmFlag::kLockOnFault;
inline constexpr uint32_t kVmAccessFlags = VmFlag::kRead | VmFlag::kWrite | VmFlag::kExec;

// What memory calls ask of an open file. Linux: struct file_operations.
class FileOperations {
 public:
  virtual ~FileOperations() = default;
  // The bytes become a hole; the size stays. EOPNOTSUPP, EPERM (sealed), EIO. Linux: vfs_fallocate.
  virtual Status punch_hole(uint64_t offset, uint64_t length) = 0;
};

// What a file wants to hear of the areas that map it. Calls come in the middle of memory calls: they change no area.
// Linux: open and close of vm_operations_struct.
class AreaOperations {
 public:
  // One more: made by mmap (Linux: f_op->mmap), copied by fork or mremap, or cut off another.
  virtual void open() = 0;
  // One less; it maps nothing any more.
  virtual void close() = 0;

 protected:
  ~AreaOperations() = default;
};

// An open file as a mapping sees it. One for each open file description, because Linux merges two mappings only if they
// come from the same one. Linux: struct file.
struct MappedFile {
  std::shared_ptr<Mapping> mapping;
  std::string_view path;  // as /proc/PID/maps shows it; it lives as long as `path_owner`, which may be null
  std::shared_ptr<const void> path_owner;
  uint64_t device = 0;  // st_dev, st_ino for /proc/PID/maps
  uint64_t inode = 0;
  bool readable = true;
  bool writable = false;        // opened for writing: MAP_SHARED may be PROT_WRITE
  bool sealed = false;          // nobody may write the file any more, and no new MAP_SHARED may. Linux: F_SEAL_WRITE
  bool sealed_for_new = false;  // no new MAP_SHARED may. Linux: F_SEAL_FUTURE_WRITE
  FileOperations* operations = nullptr;  // the open file; null: nobody can have a descriptor of it
  // A read fault maps present neighbours too (rule D6). Linux: vm_operations_struct::map_pages.
  bool fault_around = true;
  AreaOperations* area_operations = nullptr;  // as long-lived as the file; null: it does not care
  mutable FileRaState ra;                     // Linux: f_ra
};

// What an area maps, and where: all that mmap decides. It may be made anywhere; an address space takes a copy.
struct AreaShape {
  VirtAddr start;
  VirtAddr end;        // exclusive; at most kTaskSize
  uint32_t flags = 0;  // VmFlag bits
  // File: page offset in the file of `start`. Anonymous: start's page number when the area was made; kept by mremap.
  uint32_t pgoff = 0;
  MemPolicy policy{};                                // none: the task decides. Linux: vm_policy
  std::shared_ptr<const MappedFile> file = nullptr;  // null: anonymous
  const SpecialMapping* special = nullptr;           // vDSO, vvar

  uint32_t pages() const { return (end - start) >> kPageShift; }
  bool contains(VirtAddr va) const { return start <= va && va < end; }
  bool has(uint32_t bits) const { return (flags & bits) != 0; }
  bool anonymous() const { return file == nullptr && special == nullptr; }
  bool shared() const { return has(VmFlag::kShared); }
  // Some access is allowed. Linux: vma_is_accessible.
  bool accessible() const { return has(kVmAccessFlags); }
  // Page offset in the file (or linear page number) of an address inside. Linux: linear_page_index.
  uint32_t page_index(VirtAddr va) const { return pgoff + ((va - start) >> kPageShift); }
};

// Where the area's last fault on a swapped page was, how many pages were read then, and how many of them were used.
// Linux: vma->swap_readahead_info.
struct SwapReadahead {
  uint32_t page = 0;
  uint8_t window = 0;
  uint8_t hits = 4;
};

struct VmArea : AreaShape {
  explicit VmArea(const AreaShape& shape) : AreaShape(shape) {}

  AddressSpace* mm = nullptr;
  // Not null once a private page of this area was written: decides what fork copies, and whether two areas may merge.
  // Areas split from one, or written beside a compatible one, have the same. Linux: vma->anon_vma.
  AnonVma* anon_vma = nullptr;
  // One for each AnonVma that pages of this area may belong to. Linux: vma->anon_vma_chain.
  AnonVmaChain::OfArea anon_vma_chain;

  SwapReadahead swap_readahead;

  bool has_anon_vma() const { return anon_vma != nullptr; }

  // VmaTree's links.
  VmArea* left = nullptr;
  VmArea* right = nullptr;
  VmArea* prev = nullptr;  // neighbours in address order
  VmArea* next = nullptr;
  uint32_t priority = 0;
  uint32_t max_gap = 0;  // largest hole directly below any area of this subtree
  // Mapping::areas. Linux: i_mmap.
  boost::intrusive::list_member_hook<> file_hook;
};

// "rwxp" as /proc/PID/maps prints it.
std::string permissions(const VmArea& area);

}  // namespace fl::vm
