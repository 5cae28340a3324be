// Making, attaching, detaching and removing segments.
#include "guest/ipc/shm.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "guest/fs/fs_caches.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::guest {
namespace {

ShmSegment& as_segment(IpcPerm& perm) { return static_cast<ShmSegment&>(perm); }

// Linux: hstate_sizelog, with the huge pages of a processor without PAE, or of x86-64.
bool is_huge_page_size(uint32_t log2, bool kernel_64bit) {
  constexpr uint32_t kDefault = 0, k2M = 21, k4M = 22;
  return log2 == kDefault || log2 == (kernel_64bit ? k2M : k4M);
}

}  // namespace

// One attachment, in the cache "filp". Linux: the file that alloc_file_clone makes, struct shm_file_data.
class ShmSegments::ShmFile final : public vm::MappedFile, public vm::AreaOperations {
 public:
  ShmFile(ShmSegments& owner, ShmSegment& segment, bool may_write) : owner_(owner), segment_(segment) {
    mapping = segment.pages;
    const auto end =
        fmt::format_to_n(name_.data(), name_.size(), "/SYSV{:08x} (deleted)", static_cast<uint32_t>(segment.name_key));
    path = std::string_view(name_.data(), end.size);
    constexpr uint64_t kShmemDevice = 1;  // the tmpfs that is mounted nowhere: 0:1
    device = kShmemDevice;
    inode = static_cast<uint32_t>(segment.id);
    writable = may_write;
    fault_around = false;
    area_operations = this;
  }
  // An area keeps the segment: it counts as attached.
  void open() override { owner_.opened(segment_); }
  void close() override { owner_.closed(segment_); }

  // Null: the area is no part of a segment. Linux: vma->vm_ops == &shm_vm_ops.
  static const ShmFile* of(const vm::VmArea& area) {
    return area.file == nullptr ? nullptr : dynamic_cast<const ShmFile*>(area.file->area_operations);
  }

 private:
  ShmSegments& owner_;
  ShmSegment& segment_;
  std::array<char, 32> name_;
};

// Linux: SHMMAX, SHMALL: ULONG_MAX - (1 << 24).
ShmSegments::ShmSegments(Kernel& kernel) : kernel_(kernel) {
  constexpr uint64_t kLeftFree = 1 << 24;
  const uint64_t most =
      kernel_is_64bit(kernel) ? std::numeric_limits<uint64_t>::max() : std::numeric_limits<uint32_t>::max();
  limits_.max_bytes = limits_.all_pages = most - kLeftFree;
}

Result<int32_t> ShmSegments::get(Task& task, int32_t key, uint32_t bytes, uint32_t flags) {
  return ipc_get(
      ids_, task.cred, key, flags, [&] { return make(task, key, bytes, flags); },
      [bytes](IpcPerm& found) { return as_segment(found).bytes < bytes ? Status(fail(Errno::kEINVAL)) : Status(); });
}

Result<int32_t> ShmSegments::make(Task& task, int32_t key, uint32_t bytes, uint32_t flags) {
  constexpr uint32_t kHugeShift = 26, kHugeMask = 0x3f;
  if (bytes == 0 || bytes > limits_.max_bytes) {
    return fail(Errno::kEINVAL);
  }
  const uint64_t pages = pages_for(bytes);
  if (total_pages_ + pages > limits_.all_pages) {
    return fail(Errno::kENOSPC);
  }
  if ((flags & ShmFlag::kHugeTlb) != 0) {
    if (!is_huge_page_size(flags >> kHugeShift & kHugeMask, kernel_is_64bit(kernel_))) {
      return fail(Errno::kEINVAL);
    }
    // Linux: hugetlb_file_setup.
    return fail(task.cred.euid != 0 ? Errno::kEPERM : Errno::kENOMEM);
  }
  vm::MemorySystem& memory = kernel_.memory();
  const bool promised =
      (flags & ShmFlag::kNoReserve) == 0 || memory.overcommit().settings().mode == vm::OvercommitMode::kNever;
  FL_TRY_ASSIGN(auto mapping,
                vm::Mapping::for_shmem(memory, bytes, promised ? vm::ShmemCharge::kBySize : vm::ShmemCharge::kByPage));
  FL_TRY_ASSIGN(auto segment,
                kmalloc_object<ShmSegment>(memory.slab(), key, flags & kIpcAccess, bytes, std::move(mapping)));
  segment->creator_pid = task.tgid;
  segment->change_time = real_seconds(kernel_);
  FL_TRY_ASSIGN(const int32_t id, ids_.add(*segment, task.cred, limits_.segments));
  static_cast<void>(segment.release());  // ids_ has it
  total_pages_ += pages;
  return id;
}

Result<VirtAddr> ShmSegments::attach(Task& task, int32_t id, VirtAddr addr, uint32_t flags) {
  const bool remap = (flags & ShmFlag::kRemap) != 0;
  if (id < 0) {
    return fail(Errno::kEINVAL);
  }
  if (addr == VirtAddr(0) && remap) {
    return fail(Errno::kEINVAL);
  }
  const bool fixed = addr != VirtAddr(0);
  if (!addr.page_aligned()) {
    addr = addr.page();
    if ((flags & ShmFlag::kRound) == 0 || (addr == VirtAddr(0) && remap)) {
      return fail(Errno::kEINVAL);
    }
  }
  const bool read_only = (flags & ShmFlag::kReadOnly) != 0;
  const bool execute = (flags & ShmFlag::kExecute) != 0;
  constexpr uint32_t kIpcExecute = 0111;
  IpcPerm* const found = ids_.find(id);
  if (found == nullptr) {
    return fail(Errno::kEINVAL);
  }
  ShmSegment& segment = as_segment(*found);
  if (!ipc_allows(segment, task.cred, kIpcRead | (read_only ? 0 : kIpcWrite) | (execute ? kIpcExecute : 0))) {
    return fail(Errno::kEACCES);
  }
  FL_TRY_ASSIGN(std::shared_ptr<ShmFile> file, make_file<ShmFile>(kernel_.memory(), *this, segment, !read_only));
  if (addr != VirtAddr(0) && !remap) {
    // A 64-bit kernel's sum does not wrap, and its mmap refuses the place.
    const uint64_t end = uint64_t{addr.value()} + segment.bytes;
    const bool wraps = end > std::numeric_limits<uint32_t>::max();
    if (wraps ? !kernel_is_64bit(kernel_)
              : task.mm->areas().find_intersection(addr, VirtAddr(static_cast<uint32_t>(end))) != nullptr) {
      return fail(Errno::kEINVAL);
    }
  }
  ++segment.attached;  // it stays even if what is mapped over was the last of it
  const auto mapped = task.mm->mmap({.addr = addr,
                                     .length = segment.bytes,
                                     .prot = vm::Prot::kRead | (read_only ? 0u : uint32_t{vm::Prot::kWrite}) |
                                             (execute ? uint32_t{vm::Prot::kExec} : 0u),
                                     .flags = vm::MapFlag::kShared | (fixed ? uint32_t{vm::MapFlag::kFixed} : 0u),
                                     .file = std::move(file)},
                                    task.faults);
  --segment.attached;
  destroy_if_unused(segment);
  return mapped;
}

Status ShmSegments::detach(Task& task, VirtAddr addr) {
  if (!addr.page_aligned()) {
    return fail(Errno::kEINVAL);
  }
  vm::AddressSpace& mm = *task.mm;
  const auto belongs = [addr](const vm::VmArea& area) {
    return ShmFile::of(area) != nullptr && (area.start - addr) >> kPageShift == area.pgoff;
  };
  const vm::VmArea* area = mm.areas().find(addr);
  while (area != nullptr && !belongs(*area)) {
    area = area->next;
  }
  if (area == nullptr) {
    return fail(Errno::kEINVAL);
  }
  // Pieces of it that memory calls have cut; not those of another attachment that mremap put between.
  const std::shared_ptr<const vm::MappedFile> file = area->file;
  const uint64_t bytes = page_align_up(file->mapping->size());
  while (area != nullptr) {
    const VirtAddr start = area->start, end = area->end;
    const bool unmaps = belongs(*area) && area->file == file;
    const vm::VmArea* const next = area->next;
    area = next != nullptr && uint64_t{next->end - addr} <= bytes ? next : nullptr;
    if (unmaps) {
      static_cast<void>(mm.munmap(start, end - start));  // of whole areas: it cannot fail
    }
  }
  return {};
}

Status ShmSegments::remove(Task& task, int32_t id) {
  FL_TRY_ASSIGN(IpcPerm* const found, ids_.control(id, task.cred));
  ShmSegment& segment = as_segment(*found);
  segment.mode |= ShmFlag::kDestroy;
  ids_.make_private(segment);
  destroy_if_unused(segment);
  return {};
}

Result<ShmSegment*> ShmSegments::lockable(Task& task, int32_t id, bool locks) {
  IpcPerm* const found = ids_.find(id);
  if (found == nullptr) {
    return fail(Errno::kEINVAL);
  }
  const Credentials& cred = task.cred;
  const bool owns = cred.euid == found->uid || cred.euid == found->cuid;
  const bool may_lock = !locks || task.group->limits[Rlimit::kMemlock].current != 0;
  if (cred.euid != 0 && (!owns || !may_lock)) {
    return fail(Errno::kEPERM);
  }
  return &as_segment(*found);
}

// Linux: shmem_lock, user_shm_lock.
Status ShmSegments::lock(Task& task, int32_t id) {
  FL_TRY_ASSIGN(ShmSegment* const segment, lockable(task, id, true));
  if ((segment->mode & ShmFlag::kLocked) != 0) {
    return {};
  }
  const uint64_t limit = task.group->limits[Rlimit::kMemlock].current;
  uint64_t locked = pages_for(segment->bytes);
  for (IpcPerm& perm : ids_.objects()) {
    const ShmSegment& other = as_segment(perm);
    const bool counts = (other.mode & ShmFlag::kLocked) != 0 && other.locked_by == task.cred.uid;
    locked += counts ? pages_for(other.bytes) : 0;
  }
  if (limit != Rlimit::kInfinity && locked > limit >> kPageShift && task.cred.euid != 0) {
    return fail(Errno::kENOMEM);
  }
  segment->mode |= ShmFlag::kLocked;
  segment->locked_by = task.cred.uid;
  return {};
}

Status ShmSegments::unlock(Task& task, int32_t id) {
  FL_TRY_ASSIGN(ShmSegment* const segment, lockable(task, id, false));
  segment->mode &= ~uint32_t{ShmFlag::kLocked};
  return {};
}

ShmSegments::Usage ShmSegments::usage() {
  Usage all;
  for (IpcPerm& perm : ids_.objects()) {
    const vm::Mapping& pages = *as_segment(perm).pages;
    all.resident += pages.cached_pages();
    all.swapped += pages.swapped_pages();
  }
  return all;
}

void ShmSegments::opened(ShmSegment& segment) {
  segment.attach_time = real_seconds(kernel_);
  segment.last_pid = kernel_.current() != nullptr ? kernel_.current()->tgid : 0;
  ++segment.attached;
}

void ShmSegments::closed(ShmSegment& segment) {
  segment.detach_time = real_seconds(kernel_);
  segment.last_pid = kernel_.current() != nullptr ? kernel_.current()->tgid : 0;
  --segment.attached;
  destroy_if_unused(segment);
}

// Linux: shm_may_destroy.
void ShmSegments::destroy_if_unused(ShmSegment& segment) {
  if (segment.attached == 0 && (segment.mode & ShmFlag::kDestroy) != 0) {
    destroy(segment);
  }
}

// Linux: shm_destroy.
void ShmSegments::destroy(ShmSegment& segment) {
  total_pages_ -= pages_for(segment.bytes);
  ids_.remove(segment);
  KmallocDeleter{&kernel_.memory().slab()}(&segment);
}

void ShmSegments::clear() {
  while (!ids_.objects().empty()) {
    destroy(as_segment(*ids_.objects().begin()));
  }
}

}  // namespace fl::guest
