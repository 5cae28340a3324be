// Whether one process may look into another. Linux counterpart: ptrace_may_access (kernel/ptrace.c), mm_access
// (kernel/fork.c). Simplified: user 0 has CAP_SYS_PTRACE, nobody else; no security module has a say.
#pragma once

#include <memory>

#include "guest/task.hpp"
#include "mmu/base/result.hpp"

namespace fl::guest {

// Which of the caller's ids count. Linux: PTRACE_MODE_REALCREDS, PTRACE_MODE_FSCREDS.
enum class PtraceIds : bool { kReal, kFs };

bool ptrace_may_access(const Task& caller, const Task& target, PtraceIds ids);

// The memory of a task: one's own in any case. ESRCH: it has none any more; EACCES.
Result<std::shared_ptr<vm::AddressSpace>> mm_access(const Task& caller, const Task& target, PtraceIds ids);

}  // namespace fl::guest
