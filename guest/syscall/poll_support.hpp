// What poll, select and epoll share: their signal mask, and when their time is over. Linux counterparts:
// set_user_sigmask, restore_saved_sigmask_unless, poll_select_set_timeout.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "guest/kernel.hpp"
#include "guest/signal/send.hpp"
#include "guest/task.hpp"

namespace fl::guest {

// A time argument in nanoseconds from now on: none is for ever.
using Timeout = std::optional<uint64_t>;

// When the time of this call is over. A call that slept keeps what it decided at first.
inline Timeout deadline_of(Kernel& kernel, const Task& task, Timeout timeout_ns) {
  if (task.wait.resumed) {
    return task.wait.deadline_ns;
  }
  constexpr uint64_t kForEver = std::numeric_limits<uint64_t>::max() / 4;
  return timeout_ns ? std::optional(kernel.time().now_ns() + std::min(*timeout_ns, kForEver)) : std::nullopt;
}

// Puts a mask in force for the length of the call. EINVAL: its size.
inline Status install_mask(Task& task, VirtAddr mask, uint32_t size) {
  if (mask.value() == 0 || task.wait.resumed) {
    return {};
  }
  if (size != sizeof(uint64_t)) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto bits, task.user().get<uint64_t>(mask));
  set_temporary_mask(task, SignalSet(bits));
  return {};
}
// The mask of before, at once: what came in and is blocked by it stays. After a signal it is left to its delivery.
inline void restore_mask(Task& task) {
  if (task.saved_mask) {
    set_blocked(task, *task.saved_mask);
    task.saved_mask.reset();
  }
}

}  // namespace fl::guest
