// Memory of other processes: process_vm_readv, process_vm_writev, process_madvise. Linux counterparts:
// mm/process_vm_access.c, mm/madvise.c.
//
// The pages of a remote segment are had first, by get_user_pages and so without page-fault events (rule A2), up to a
// batch of them, whatever the local segments can hold; then the bytes move, and the local side faults in kernel mode.
#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "guest/fs/pidfd.hpp"
#include "guest/process/ptrace_access.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/memory_system.hpp"
#include "vm/phys/page_pin.hpp"

namespace fl::guest {
namespace {

enum class Direction : bool { kRead, kWrite };

// Bytes between one remote page and the local side. EFAULT: the local side cannot be had.
Status move_page(vm::MemorySystem& memory, Pfn pfn, uint32_t in_page, uint32_t bytes, UserBuffer& local,
                 Direction direction) {
  const vm::KmapLocal page(memory.kmap_slots(), pfn);
  while (bytes > 0 && local.left() > 0) {
    std::byte* const remote = page.data() + in_page;
    FL_TRY_ASSIGN(const auto piece,
                  local.chunk(bytes, direction == Direction::kRead ? mmu::Access::kWrite : mmu::Access::kRead));
    const auto length = static_cast<uint32_t>(piece.size());
    direction == Direction::kRead ? std::memmove(piece.data(), remote, length)
                                  : std::memmove(remote, piece.data(), length);
    local.advance(length);
    in_page += length;
    bytes -= length;
  }
  if (direction == Direction::kWrite) {
    memory.tlb().code_changed(pfn);
  }
  return {};
}

// Linux: process_vm_rw_single_vec.
Status move_segment(Task& task, vm::AddressSpace& mm, const UserSegment& remote, UserBuffer& local,
                    Direction direction) {
  if (remote.length == 0) {
    return {};
  }
  const mmu::Access access = direction == Direction::kRead ? mmu::Access::kRead : mmu::Access::kWrite;
  // PVM_MAX_KMALLOC_PAGES of pointers.
  const uint32_t batch = 2 * kPageSize / mm.memory().profile().kernel_pointer_bytes;
  const uint64_t end = uint64_t{remote.base.value()} + remote.length;
  for (uint64_t at = remote.base.value(); at < end && local.left() > 0;) {
    const uint64_t first = at & ~uint64_t{kPageOffsetMask};
    uint32_t pinned = 0;
    for (; pinned < batch && first + (uint64_t{pinned} << kPageShift) < end; ++pinned) {
      const uint64_t page = first + (uint64_t{pinned} << kPageShift);
      if (page > UINT32_MAX || !vm::pin_user_page(mm, VirtAddr(static_cast<uint32_t>(page)), access, task.faults)) {
        break;
      }
    }
    if (pinned == 0) {
      return fail(Errno::kEFAULT);
    }
    const uint64_t stop = std::min(end, first + (uint64_t{pinned} << kPageShift));
    while (at < stop && local.left() > 0) {
      const VirtAddr va(static_cast<uint32_t>(at));
      const auto bytes = static_cast<uint32_t>(std::min<uint64_t>(kPageSize - va.page_offset(), stop - at));
      // It is there: this takes no fault, unless it was reclaimed meanwhile.
      FL_TRY_ASSIGN(const Pfn pfn, vm::pin_user_page(mm, va, access, task.faults));
      const vm::PagePin pin(mm.memory(), pfn);  // the local side may need memory
      FL_TRY(move_page(mm.memory(), pfn, va.page_offset(), bytes, local, direction));
      at += bytes;
    }
  }
  return {};
}

// pid, local vector and its length, remote vector and its length, flags. Linux: process_vm_rw.
Result<uint32_t> process_vm_rw(Kernel& kernel, Task& task, const SyscallArgs& args, Direction direction) {
  if (args[5] != 0) {
    return fail(Errno::kEINVAL);
  }
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(std::vector<UserSegment> local_segments, import_segments(user, args.ptr(1), args[2]));
  UserBuffer local(user, std::move(local_segments));
  const uint32_t wanted = local.left();
  if (wanted == 0) {
    return 0;
  }
  FL_TRY_ASSIGN(const std::vector<UserSegment> remote, read_segments(user, args.ptr(3), args[4]));
  if (std::all_of(remote.begin(), remote.end(), [](const UserSegment& each) { return each.length == 0; })) {
    return 0;
  }
  Task* const target = kernel.find_task(args[0]);
  if (target == nullptr) {
    return fail(Errno::kESRCH);
  }
  const auto mm = mm_access(task, *target, PtraceIds::kReal);
  if (!mm) {
    return fail(mm.error() == Errno::kEACCES ? Errno::kEPERM : mm.error());
  }
  std::optional<Errno> failed;
  for (size_t i = 0; i < remote.size() && local.left() > 0 && !failed; ++i) {
    const Status done = move_segment(task, **mm, remote[i], local, direction);
    failed = done ? std::nullopt : std::optional(done.error());
  }
  const uint32_t moved = wanted - local.left();
  if (moved == 0 && failed) {
    return fail(*failed);
  }
  return moved;
}

}  // namespace

Result<uint32_t> sys_process_vm_readv(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return process_vm_rw(kernel, task, args, Direction::kRead);
}

Result<uint32_t> sys_process_vm_writev(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return process_vm_rw(kernel, task, args, Direction::kWrite);
}

// pidfd, vector and its length, advice, flags. The number of bytes advised.
Result<uint32_t> sys_process_madvise(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[4] != 0) {
    return fail(Errno::kEINVAL);
  }
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const std::vector<UserSegment> segments, import_segments(user, args.ptr(1), args[2]));
  FL_TRY_ASSIGN(const std::shared_ptr<PidFile> file, pid_file(task, args[0]));
  Task* const target = file->group().reaped ? nullptr : kernel.find_task(file->group().leader->tgid);
  if (target == nullptr) {
    return fail(Errno::kESRCH);
  }
  const bool own_is_free = kernel.profile().process_madvise_own;
  const bool known = vm::AddressSpace::may_advise_others(args.s(3));
  if (!own_is_free && !known) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto mm, mm_access(task, *target, PtraceIds::kFs));
  if (!own_is_free || mm != task.mm) {
    if (!known) {
      return fail(Errno::kEINVAL);
    }
    if (task.cred.euid != 0) {
      return fail(Errno::kEPERM);  // CAP_SYS_NICE
    }
  }
  uint32_t done = 0;
  for (const UserSegment& each : segments) {
    if (const Status advised = mm->madvise(each.base, each.length, args.s(3), task.faults); !advised) {
      return done != 0 ? Result<uint32_t>(done) : fail(advised.error());
    }
    done += each.length;
  }
  return done;
}

}  // namespace fl::guest
