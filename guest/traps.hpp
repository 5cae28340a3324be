// Processor exceptions and refused page faults as signals. Linux counterparts: arch/x86/kernel/traps.c,
// arch/x86/mm/fault.c.
#pragma once

#include "guest/cpu/registers.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"
#include "vm/fault/fault_record.hpp"

namespace fl::guest {

// The signal that Linux forces on a task for this exception, with its code and address; trap number and error code are
// noted for the signal frame. A spurious x87 or SSE exception sends nothing.
void do_exception(Kernel& kernel, Task& task, Vector vector, uint32_t error_code);
// A page fault of the program that vm refused: SIGSEGV, SIGBUS or, out of memory, SIGKILL.
void refuse_page_fault(Kernel& kernel, Task& task, const Trap& trap, vm::FaultResult result);

}  // namespace fl::guest
