// See file_support.hpp.
#include "guest/syscall/file_support.hpp"

#include <algorithm>
#include <limits>
#include <span>

#include "guest/fs/path.hpp"
#include "guest/signal/send.hpp"
#include "guest/task/wait_queue.hpp"

namespace fl::guest {
namespace {

// A read makes room, a write makes something to read.
uint32_t news_of(std::string_view what) {
  return what == "read"    ? PollEvent::kOut | PollEvent::kWriteNormal
         : what == "write" ? PollEvent::kIn | PollEvent::kReadNormal
                           : WaitQueue::kAllEvents;
}

}  // namespace

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

void wake_waiters(OpenFile& file, uint32_t events) {
  if (WaitQueue* const queue = file.wait_queue(); queue != nullptr) {
    queue->wake_all(events);
  }
}

Result<std::shared_ptr<OpenFile>> file_of_call(const Task& task, uint32_t fd) {
  if (task.wait.resumed && task.wait.file != nullptr) {
    return task.wait.file;
  }
  std::shared_ptr<OpenFile> file = task.files->share(fd);
  if (file == nullptr || file->path_only()) {
    return fail(Errno::kEBADF);
  }
  return file;
}

Result<uint32_t> finish_transfer(Kernel& kernel, Task& task, const std::shared_ptr<OpenFile>& file, uint32_t fd,
                                 const char* what, const Result<uint32_t>& result) {
  if (result) {
    if (!file->wakes_waiters()) {
      wake_waiters(*file, news_of(what));
    }
    return result;
  }
  switch (result.error()) {
    case Errno::kEAGAIN: {
      WaitQueue* const queue = file->wait_queue();
      if (file->nonblocking() || queue == nullptr) {
        return result;
      }
      if (signal_pending(task)) {
        return fail(kRestartSys);
      }
      queue->add(task.waiter);
      task.wait.file = file;
      return kernel.sleep(task, what, fd, std::nullopt);
    }
    case Errno::kEINTR:
      return fail(kRestartSys);
    case Errno::kEPIPE:
      static_cast<void>(send_signal(kernel, task,
                                    SignalInfo{.signal = Signal::kPipe,
                                               .code = SiCode::kUser,
                                               .error = 0,
                                               .addr = {},
                                               .pid = task.tgid,
                                               .uid = task.cred.uid},
                                    SignalTarget::kTask));
      return result;
    default:
      return result;
  }
}

Result<std::vector<UserSegment>> read_segments(vm::UserAccess& user, VirtAddr vector, uint32_t count) {
  constexpr uint32_t kMaxSegments = 1024;  // UIO_MAXIOV
  struct Iovec {
    uint32_t base, length;
  };
  if (count > kMaxSegments) {
    return fail(Errno::kEINVAL);
  }
  std::vector<Iovec> iov(count);
  FL_TRY(user.read(std::as_writable_bytes(std::span(iov)), vector));
  std::vector<UserSegment> segments;
  segments.reserve(count);
  for (const Iovec& each : iov) {
    if (each.length > static_cast<uint32_t>(std::numeric_limits<int32_t>::max())) {
      return fail(Errno::kEINVAL);
    }
    segments.push_back({VirtAddr(each.base), each.length});
  }
  return segments;
}

Result<std::vector<UserSegment>> import_segments(vm::UserAccess& user, VirtAddr vector, uint32_t count) {
  FL_TRY_ASSIGN(std::vector<UserSegment> segments, read_segments(user, vector, count));
  uint32_t left = kMaxTransfer;
  for (UserSegment& each : segments) {
    if (!vm::UserAccess::access_ok(each.base, each.length)) {
      return fail(Errno::kEFAULT);
    }
    each.length = std::min(each.length, left);
    left -= each.length;
  }
  return segments;
}

}  // namespace fl::guest
