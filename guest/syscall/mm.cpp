// Memory calls: what the registers say goes to AddressSpace, which does the work.
// Linux counterparts: sys_brk, sys_mmap_pgoff, sys_munmap, sys_mprotect, sys_mremap, sys_madvise, sys_mlock, sys_msync,
// ...
#include <algorithm>
#include <array>

#include "guest/fs/fd_table.hpp"
#include "guest/fs/permission.hpp"
#include "guest/kernel.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

Result<uint32_t> as_answer(const Status& status) {
  if (!status) {
    return fail(status.error());
  }
  return 0;
}

Result<uint32_t> as_answer(const Result<VirtAddr>& addr) {
  if (!addr) {
    return fail(addr.error());
  }
  return addr->value();
}

// Linux: ksys_mmap_pgoff.
Result<uint32_t> map(Task& task, vm::MmapRequest request, uint32_t fd) {
  if ((request.flags & vm::MapFlag::kAnonymous) == 0) {
    OpenFile* file = task.files->get(fd);
    if (file == nullptr || file->path_only()) {
      return fail(Errno::kEBADF);
    }
    if ((request.flags & vm::MapFlag::kHugeTlb) != 0) {
      return fail(Errno::kEINVAL);  // no file is on hugetlbfs
    }
    if (file->maps_anonymous()) {
      request.flags |= vm::MapFlag::kAnonymous;
      request.pgoff = 0;
    } else {
      FL_TRY_ASSIGN(request.file, file->mapped_file());
      // Bit 0: MAP_SHARED and MAP_SHARED_VALIDATE.
      if ((request.flags & vm::MapFlag::kShared) != 0 && (request.prot & vm::Prot::kWrite) != 0 && file->writable() &&
          file->is_swapfile()) {
        return fail(Errno::kETXTBSY);
      }
    }
  }
  return as_answer(task.mm->mmap(request, task.faults));
}

}  // namespace

Result<uint32_t> sys_brk(Kernel&, Task& task, const SyscallArgs& args) {
  return task.mm->brk(args.ptr(0), task.faults).value();
}

Result<uint32_t> sys_mmap2(Kernel&, Task& task, const SyscallArgs& args) {
  return map(task,
             {.addr = args.ptr(0), .length = args[1], .prot = args[2], .flags = args[3], .file = {}, .pgoff = args[5]},
             args[4]);
}

// The arguments stand in memory, the offset in bytes. Linux: sys_old_mmap.
Result<uint32_t> sys_mmap(Kernel&, Task& task, const SyscallArgs& args) {
  struct OldMmapArgs {
    uint32_t addr, length, prot, flags, fd, offset;
  };
  FL_TRY_ASSIGN(const auto old, task.user().get<OldMmapArgs>(args.ptr(0)));
  if ((old.offset & kPageOffsetMask) != 0) {
    return fail(Errno::kEINVAL);
  }
  return map(task,
             {.addr = VirtAddr(old.addr),
              .length = old.length,
              .prot = old.prot,
              .flags = old.flags,
              .file = {},
              .pgoff = old.offset >> kPageShift},
             old.fd);
}

Result<uint32_t> sys_munmap(Kernel&, Task& task, const SyscallArgs& args) {
  return as_answer(task.mm->munmap(args.ptr(0), args[1]));
}

Result<uint32_t> sys_mprotect(Kernel&, Task& task, const SyscallArgs& args) {
  return as_answer(task.mm->mprotect(args.ptr(0), args[1], args[2], task.faults));
}

Result<uint32_t> sys_mremap(Kernel&, Task& task, const SyscallArgs& args) {
  return as_answer(task.mm->mremap(args.ptr(0), args[1], args[2], args[3], args.ptr(4), task.faults));
}

Result<uint32_t> sys_madvise(Kernel&, Task& task, const SyscallArgs& args) {
  return as_answer(task.mm->madvise(args.ptr(0), args[1], args.s(2), task.faults));
}

Result<uint32_t> sys_mlock(Kernel&, Task& task, const SyscallArgs& args) {
  return as_answer(task.mm->mlock(args.ptr(0), args[1], task.faults));
}

Result<uint32_t> sys_mlock2(Kernel&, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kOnFault = 1;
  if ((args[2] & ~kOnFault) != 0) {
    return fail(Errno::kEINVAL);
  }
  const auto pages = args[2] == kOnFault ? vm::LockPages::kOnFault : vm::LockPages::kNow;
  return as_answer(task.mm->mlock(args.ptr(0), args[1], task.faults, pages));
}

Result<uint32_t> sys_munlock(Kernel&, Task& task, const SyscallArgs& args) {
  return as_answer(task.mm->munlock(args.ptr(0), args[1]));
}

Result<uint32_t> sys_mlockall(Kernel&, Task& task, const SyscallArgs& args) {
  return as_answer(task.mm->mlockall(args[0], task.faults));
}

Result<uint32_t> sys_munlockall(Kernel&, Task& task, const SyscallArgs&) { return as_answer(task.mm->munlockall()); }

Result<uint32_t> sys_msync(Kernel&, Task& task, const SyscallArgs& args) {
  return as_answer(task.mm->msync(args.ptr(0), args[1], args[2]));
}

Result<uint32_t> sys_mincore(Kernel&, Task& task, const SyscallArgs& args) {
  VirtAddr addr = args.ptr(0);
  VirtAddr out = args.ptr(2);
  if (!addr.page_aligned()) {
    return fail(Errno::kEINVAL);
  }
  if (!vm::UserAccess::access_ok(addr, args[1])) {
    return fail(Errno::kENOMEM);
  }
  auto pages = static_cast<uint32_t>(pages_for(args[1]));
  if (!vm::UserAccess::access_ok(out, pages)) {
    return fail(Errno::kEFAULT);
  }
  // Linux: can_do_mincore.
  const auto may_know = [&task](const vm::MappedFile& mapped) {
    auto& file = static_cast<OpenFile&>(*mapped.operations);
    const auto stat = file.stat();
    return stat && (task.cred.fsuid == 0 || task.cred.fsuid == stat->uid ||
                    mode_allows(*stat, task.cred, May::kWrite, RootOverride::kYes));
  };
  vm::UserAccess user = task.user();
  std::array<uint8_t, kPageSize> resident;
  while (pages > 0) {
    FL_TRY_ASSIGN(const uint32_t done,
                  task.mm->mincore(addr, std::span(resident).first(std::min(pages, kPageSize)), may_know));
    FL_TRY(user.write(out, std::as_bytes(std::span(resident).first(done))));
    addr += done << kPageShift;
    out += done;
    pages -= done;
  }
  return 0;
}

Result<uint32_t> sys_remap_file_pages(Kernel&, Task& task, const SyscallArgs& args) {
  return as_answer(task.mm->remap_file_pages(args.ptr(0), args[1], args[2], args[3], args[4], task.faults));
}

}  // namespace fl::guest
