// pipe and pipe2. Linux counterpart: do_pipe2 (fs/pipe.c).
#include <fmt/format.h>

#include <array>

#include "guest/fs/pipe.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"

namespace fl::guest {
namespace {

Result<uint32_t> make(Kernel& kernel, Task& task, VirtAddr to, uint32_t flags) {
  if ((flags & ~uint32_t{OpenFlag::kCloseOnExec | OpenFlag::kNonBlock | OpenFlag::kDirect}) != 0) {
    return fail(Errno::kEINVAL);
  }
  Vfs& vfs = kernel.vfs();
  const uint64_t inode = vfs.next_anonymous_inode();
  FL_TRY_ASSIGN(auto path, vfs.make_path(fmt::format("pipe:[{}]", inode)));
  FL_TRY_ASSIGN(PipeEnds ends, make_pipe(kernel.memory(), flags & uint32_t{OpenFlag::kNonBlock | OpenFlag::kDirect},
                                         inode, std::move(path)));
  const uint64_t limit = descriptor_limit(task);
  FL_TRY_ASSIGN(const uint32_t reader, task.files->install(std::move(ends.reader), close_on_exec(flags), limit));
  const auto writer = task.files->install(std::move(ends.writer), close_on_exec(flags), limit);
  if (!writer) {
    (void)task.files->close(reader);  // was just opened
    return fail(writer.error());
  }
  if (const Status told = task.user().put(to, std::array<uint32_t, 2>{reader, *writer}); !told) {
    (void)task.files->close(reader);
    (void)task.files->close(*writer);
    return fail(told.error());
  }
  return 0;
}

}  // namespace

Result<uint32_t> sys_pipe(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return make(kernel, task, args.ptr(0), 0);
}
Result<uint32_t> sys_pipe2(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return make(kernel, task, args.ptr(0), args[1]);
}

}  // namespace fl::guest
