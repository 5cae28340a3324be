// What a dying task owes to those who wait for its locks. Linux counterpart: exit_robust_list (kernel/futex/core.c).
#pragma once

#include <cstdint>

#include "guest/kernel.hpp"
#include "guest/task.hpp"

namespace fl::guest {

// Marks the locks on the task's robust list as those of a dead owner and wakes one waiter of each.
void exit_robust_list(Kernel& kernel, Task& task);

}  // namespace fl::guest
