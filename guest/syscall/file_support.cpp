// See file_support.hpp.
#include "guest/syscall/file_support.hpp"

#include "guest/fs/path.hpp"
#include "guest/fs/wait_queue.hpp"
#include "guest/signal/send.hpp"

namespace fl::guest {

Result<OpenFile*> any_file(const Task& task, uint32_t fd) {
  OpenFile* const file = task.files->get(fd);
  return file != nullptr ? Result<OpenFile*>(file) : fail(Errno::kEBADF);
}

Result<OpenFile*> file_for_io(const Task& task, uint32_t fd) {
  OpenFile* const file = task.files->get(fd);
  return file != nullptr && !file->path_only() ? Result<OpenFile*>(file) : fail(Errno::kEBADF);
}

Result<std::string> user_path(Task& task, VirtAddr from) { return task.user().string(from, kPathMax); }

At at_cwd(const Task& task) { return {task.fs->cwd, caller_of(task)}; }

Result<At> at_directory(const Task& task, int32_t dirfd, std::string_view path) {
  if (dirfd == kAtFdCwd || path.starts_with('/')) {
    return at_cwd(task);
  }
  FL_TRY_ASSIGN(const OpenFile* file, any_file(task, static_cast<uint32_t>(dirfd)));
  if (!file->is_directory()) {
    return fail(path.empty() ? Errno::kENOENT : Errno::kENOTDIR);
  }
  return At{file->path(), caller_of(task)};
}

void wake_waiters(Kernel& kernel, OpenFile& file) {
  WaitQueue* const queue = file.wait_queue();
  if (queue == nullptr || queue->empty()) {
    return;
  }
  for (const uint32_t tid : queue->take()) {
    if (Task* const waiting = kernel.find_task(tid)) {
      kernel.wake(*waiting);
    }
  }
}

Result<uint32_t> finish_transfer(Kernel& kernel, Task& task, OpenFile& file, uint32_t fd, const char* what,
                                 const Result<uint32_t>& result) {
  if (result) {
    wake_waiters(kernel, file);
    return result;
  }
  switch (result.error()) {
    case Errno::kEAGAIN: {
      WaitQueue* const queue = file.wait_queue();
      if (file.nonblocking() || queue == nullptr) {
        return result;
      }
      if (signal_pending(task)) {
        return fail(kRestartSys);
      }
      queue->add(task.tid);
      return kernel.sleep(task, what, fd, std::nullopt);
    }
    case Errno::kEINTR:
      return fail(kRestartSys);
    case Errno::kEPIPE:
      send_signal(kernel, task,
                  SignalInfo{.signal = Signal::kPipe,
                             .code = SiCode::kUser,
                             .error = 0,
                             .addr = {},
                             .pid = task.tgid,
                             .uid = task.cred.uid},
                  SignalTarget::kTask);
      return result;
    default:
      return result;
  }
}

}  // namespace fl::guest
