// See process_group.hpp.
#include "guest/task/process_group.hpp"

#include <algorithm>

#include "guest/kernel.hpp"
#include "guest/signal/send.hpp"

namespace fl::guest {
namespace {

bool in_group(const Task& task, uint32_t pgid) { return task.is_leader() && task.group->pgid == pgid; }

}  // namespace

bool is_orphaned_group(const Kernel& kernel, uint32_t pgid, const ThreadGroup* leaving) {
  return std::none_of(kernel.tasks().begin(), kernel.tasks().end(), [&](const Task& task) {
    const ThreadGroup& member = *task.group;
    return in_group(task, pgid) && &member != leaving && member.live_threads != 0 && member.parent != nullptr &&
           member.parent->pgid != pgid && member.parent->sid == member.sid;
  });
}

void hang_up_if_orphaned(Kernel& kernel, const ThreadGroup& member, const ThreadGroup* parent,
                         const ThreadGroup* leaving) {
  const uint32_t pgid = member.pgid;
  if (parent == nullptr || parent->pgid == pgid || parent->sid != member.sid) {
    return;
  }
  const bool any_stopped = std::any_of(kernel.tasks().begin(), kernel.tasks().end(), [pgid](const Task& task) {
    return in_group(task, pgid) && task.group->stop_signal != 0;
  });
  if (!any_stopped || !is_orphaned_group(kernel, pgid, leaving)) {
    return;
  }
  for (const int signal : {Signal::kHup, Signal::kCont}) {
    for (Task& task : kernel.tasks()) {
      if (in_group(task, pgid)) {
        static_cast<void>(send_signal(kernel, *task.group, {.signal = signal, .code = SiCode::kKernel}));
      }
    }
  }
}

}  // namespace fl::guest
