// PidFile: a process as a file, readable when it has ended. Linux counterpart: pidfd_fops (kernel/fork.c, fs/pidfs.c).
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>

#include "guest/fs/anon_file.hpp"

namespace fl::guest {

class PidFile final : public AnonFile {
 public:
  PidFile(uint32_t flags, std::shared_ptr<LivePath> path, std::shared_ptr<ThreadGroup> group)
      : AnonFile(flags, std::move(path)), group_(std::move(group)) {}

  // The process, which may have been waited for.
  ThreadGroup& group() { return *group_; }
  uint32_t poll() override {
    return (group_->live_threads == 0 ? PollEvent::kIn | PollEvent::kReadNormal : 0u) |
           (group_->reaped ? uint32_t{PollEvent::kHup} : 0u);
  }
  WaitQueue* wait_queue() override { return &group_->end; }
  // Linux: pidfd_show_fdinfo.
  std::string fdinfo(const vm::KernelProfile&) override {
    return group_->reaped ? "Pid:\t-1\n" : fmt::format("Pid:\t{}\n", group_->tgid);
  }

 private:
  std::shared_ptr<ThreadGroup> group_;
};

// A descriptor of the task for a process, always close-on-exec. EMFILE, ENOMEM.
Result<uint32_t> open_pidfd(Kernel& kernel, Task& task, std::shared_ptr<ThreadGroup> group, uint32_t flags);
// The process of a descriptor. EBADF. Linux: pidfd_get_pid.
Result<std::shared_ptr<PidFile>> pid_file(const Task& task, uint32_t fd);

}  // namespace fl::guest
