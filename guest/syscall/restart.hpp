// The calls that restart_syscall goes on with, each beside the call itself. They use task.restart.
#pragma once

#include "guest/kernel.hpp"
#include "guest/task.hpp"

namespace fl::guest {

Result<uint32_t> restart_nanosleep(Kernel& kernel, Task& task);
Result<uint32_t> restart_futex_wait(Kernel& kernel, Task& task);
Result<uint32_t> restart_poll(Kernel& kernel, Task& task);

}  // namespace fl::guest
