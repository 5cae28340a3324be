// Delivery: what a task does about its pending signals before it returns to user mode.
// Linux counterparts: get_signal (kernel/signal.c), arch_do_signal_or_restart, handle_signal
// (arch/x86/kernel/signal.c).
#pragma once

#include "guest/kernel.hpp"
#include "guest/task.hpp"

namespace fl::guest {

// Handlers get frames on the stack, the last one on top; a fatal signal ends the group; without a handler an
// interrupted system call is made ready to run again. Afterwards the task runs, sleeps (stopped) or is a zombie.
void deliver_signals(Kernel& kernel, Task& task);

}  // namespace fl::guest
