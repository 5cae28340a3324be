// What a dying task owes to those who wait for its locks. Linux counterparts: exit_robust_list, futex_wake
// (kernel/futex/).
#pragma once

#include <cstdint>

#include "guest/kernel.hpp"
#include "guest/task.hpp"

namespace fl::guest {

// Wakes up to `count` tasks that wait on a futex word of the task's memory; how many.
uint32_t futex_wake(Kernel& kernel, Task& task, VirtAddr at, uint32_t count);
// Marks the locks on the task's robust list as those of a dead owner and wakes one waiter of each.
void exit_robust_list(Kernel& kernel, Task& task);

}  // namespace fl::guest
