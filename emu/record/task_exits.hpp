// TaskExits: what each task on this machine counted when it ended. Linux: Documentation/accounting/taskstats.rst.
//
// perf events leave out what get_user_pages faults in, and wait4 adds a child's faults to its parent's; the kernel's
// task accounting tells them task by task, and how each ended. Needs CAP_NET_ADMIN, the initial namespaces and a kernel
// with CONFIG_TASKSTATS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "emu/record/unique_fd.hpp"

namespace fl::emu {

// One task that ended; `minflt` and `majflt` are task_struct's min_flt and maj_flt at its exit.
struct TaskExit {
  uint32_t tid = 0;
  uint32_t wait_status = 0;  // as wait4 gives it, if the task led its group; 0 for other threads
  uint64_t minflt = 0, majflt = 0;
};

class TaskExits {
 public:
  // None where the kernel does not tell us. From here on every exit on every processor is kept for us.
  static std::optional<TaskExits> open();

  // Takes what has come. False: messages were lost, now or earlier.
  bool drain(std::vector<TaskExit>& out);

 private:
  explicit TaskExits(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
  bool complete_ = true;
};

// Appends the tasks that one datagram of the socket tells of. False: it is damaged, or says that something went wrong.
bool parse_task_exits(std::span<const std::byte> message, std::vector<TaskExit>& out);

}  // namespace fl::emu
