// Signal frames: putting one on a task's stack so that it runs a handler next, and taking it off again (sigreturn).
// Linux counterparts: get_sigframe (arch/x86/kernel/signal.c), ia32_setup_frame, ia32_setup_rt_frame,
// ia32_restore_sigcontext (arch/x86/kernel/signal_32.c), copy_fpstate_to_sigframe, fpu__restore_sig
// (arch/x86/kernel/fpu/signal.c).
#pragma once

#include "guest/kernel.hpp"
#include "guest/signal/frame_layout.hpp"
#include "guest/signal/signal.hpp"
#include "guest/task.hpp"

namespace fl::guest {

// Writes the frame (kernel-mode faults, the floating-point state first as Linux does) and points the registers at the
// handler. `old_mask` is what sigreturn will restore. EFAULT if the stack cannot be had: the registers are unchanged.
Status push_signal_frame(Kernel& kernel, Task& task, const SignalInfo& info, const SignalAction& action,
                         SignalSet old_mask);

// Takes back what is in the frame that the stack pointer says (sigreturn's and rt_sigreturn's stack). EFAULT: no frame
// there, or one that no kernel would accept; the caller sends SIGSEGV.
Status pop_signal_frame(Kernel& kernel, Task& task);
Status pop_rt_signal_frame(Kernel& kernel, Task& task);

SigInfo32 siginfo_to_user(const SignalInfo& info);

// The stack pointer is inside the alternate stack. Linux: on_sig_stack.
bool on_alt_stack(const AltStack& stack, uint32_t esp);
// As sigaltstack changes it. EPERM if running on it, EINVAL for bad flags, ENOMEM if too small. Linux: do_sigaltstack.
Status set_alt_stack(Task& task, const StackT32& stack);

}  // namespace fl::guest
