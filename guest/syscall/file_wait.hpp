// Sleeping on a file that stays open meanwhile, for calls that are not a read or write: open of a FIFO, locks.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "guest/syscall/file_support.hpp"
#include "guest/task/wait_queue.hpp"

namespace fl::guest {

// Puts the calling task to sleep on a queue until somebody wakes it; the handler, called again, finds the file in
// task.wait.file and takes it from there. The file keeps the queue.
inline tl::unexpected<Errno> sleep_on_queue(Kernel& kernel, Task& task, WaitQueue& queue,
                                            std::shared_ptr<OpenFile> file, const char* reason, uint32_t object) {
  queue.add(task.waiter);
  task.wait.file = std::move(file);
  return kernel.sleep(task, reason, object, std::nullopt);
}

inline tl::unexpected<Errno> sleep_on_file(Kernel& kernel, Task& task, std::shared_ptr<OpenFile> file,
                                           const char* reason) {
  WaitQueue& queue = *file->wait_queue();
  return sleep_on_queue(kernel, task, queue, std::move(file), reason, 0);
}

}  // namespace fl::guest
