// Restartable sequences: the kernel keeps the CPU number in a word of the thread's memory and moves a thread that was
// interrupted inside a marked sequence to its abort address. Linux counterpart: kernel/rseq.c.
//
// What matters here is its write to user memory when the task returns to user mode after it was scheduled out (rule H6
// of the fault rules) or gets a signal. There is one CPU, number 0, node 0, concurrency id 0.
#pragma once

#include "guest/kernel.hpp"
#include "guest/task.hpp"

namespace fl::guest {

// The system call. EINVAL, EPERM (other signature), EBUSY (registered already), EFAULT.
Status rseq_register(Kernel& kernel, Task& task, uint32_t address, uint32_t length, uint32_t flags, uint32_t signature);
// The task was scheduled out: the write is owed.
inline void rseq_preempted(Task& task) {
  if (task.rseq != 0) {
    task.rseq_pending = true;
    task.work_pending = true;
  }
}
// Does what is owed. False: the memory cannot be had or the descriptor is bad; the caller sends SIGSEGV.
// Linux: __rseq_handle_notify_resume.
bool rseq_before_return(Task& task);
// A handler is about to run. Linux: rseq_signal_deliver.
bool rseq_before_signal(Task& task);

}  // namespace fl::guest
