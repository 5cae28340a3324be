// The vDSO's entry points in assembly: the system-call gate, the two signal trampolines, the program-counter helper.
//
// Linux counterpart: arch/x86/entry/vdso/vdso32/{system_call,sigreturn,note}.S. The bytes of the trampolines are what
// debuggers and unwinders look for, so they cannot be chosen. Simplified: the gate always uses int 0x80, where a real
// machine patches in sysenter or syscall; what a program can see, the three pushes and the place of the int 0x80
// (offset 7, return address offset 9), is the same.

// The version code that C libraries read from the vDSO instead of calling uname (type 0 of owner "Linux").
	.section .note.Linux, "a", @note
	.balign 4
	.long 6, 4, 0
	.asciz "Linux"
	.balign 4
	.long FL_LINUX_VERSION_CODE

	.section .text.kernel_vsyscall, "ax", @progbits
	.globl __kernel_vsyscall
	.type __kernel_vsyscall, @function
__kernel_vsyscall:
	.cfi_startproc
	push %ecx
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset ecx, 0
	push %edx
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset edx, 0
	push %ebp
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset ebp, 0
	// Four bytes in place of the instructions that load EBP and enter the kernel the fast way: EBP is argument 6 here.
	.byte 0x8d, 0x74, 0x26, 0x00
	int $0x80
	pop %ebp
	.cfi_adjust_cfa_offset -4
	.cfi_restore ebp
	pop %edx
	.cfi_adjust_cfa_offset -4
	.cfi_restore edx
	pop %ecx
	.cfi_adjust_cfa_offset -4
	.cfi_restore ecx
	ret
	.cfi_endproc
	.size __kernel_vsyscall, . - __kernel_vsyscall

// How to find the interrupted registers while ESP is `sc` bytes below the frame's struct sigcontext (sigcontext_32.h:
// edi 16, esi 20, ebp 24, esp 28, ebx 32, edx 36, ecx 40, eax 44, eip 56). DWARF numbers: eax 0, ecx 1, edx 2, ebx 3,
// ebp 5, esi 6, edi 7, eip 8. There is no .cfi directive for these expressions (the caller's ESP is itself in memory).
// An offset is written as a two-byte SLEB128.
#define SLEB2(n) (((n) & 0x7f) | 0x80), (((n) >> 7) & 0x7f)
	.macro cfi_saved reg, offset
	.cfi_escape 0x10, \reg, 3, 0x74, SLEB2(\offset)  // DW_CFA_expression: breg4 (esp) + offset
	.endm
	.macro cfi_sigcontext sc
	.cfi_escape 0x0f, 4, 0x74, SLEB2(\sc + 28), 0x06  // DW_CFA_def_cfa_expression: the word at esp + offset
	cfi_saved 0, (\sc + 44)
	cfi_saved 1, (\sc + 40)
	cfi_saved 2, (\sc + 36)
	cfi_saved 3, (\sc + 32)
	cfi_saved 5, (\sc + 24)
	cfi_saved 6, (\sc + 20)
	cfi_saved 7, (\sc + 16)
	cfi_saved 8, (\sc + 56)
	.endm

// A return address is looked up at address - 1, but the address of a trampoline is where the handler will return to, not
// where a call was: the unwind information begins one byte, a nop, before each.
	.section .text.kernel_sigreturn, "ax", @progbits
	.cfi_startproc simple
	.cfi_signal_frame
	// At entry ESP points at the signal number, the sigcontext follows; the pop removes the number.
	cfi_sigcontext 4
	nop
	.globl __kernel_sigreturn
	.type __kernel_sigreturn, @function
__kernel_sigreturn:
	pop %eax
	cfi_sigcontext 0
	mov $119, %eax
	int $0x80
	nop
	.cfi_endproc
	.size __kernel_sigreturn, . - __kernel_sigreturn

	.section .text.kernel_rt_sigreturn, "ax", @progbits
	.cfi_startproc simple
	.cfi_signal_frame
	// At entry ESP points at the signal number: two pointers, siginfo (128 bytes) and 20 bytes of ucontext precede.
	cfi_sigcontext 160
	nop
	.globl __kernel_rt_sigreturn
	.type __kernel_rt_sigreturn, @function
__kernel_rt_sigreturn:
	mov $173, %eax
	int $0x80
	nop
	.cfi_endproc
	.size __kernel_rt_sigreturn, . - __kernel_rt_sigreturn

// EAX = the address after the call. It stands on the second page, as the compiler's helper does in Linux's images; for
// that reason every time function touches both pages.
	.section .text.load_pc, "ax", @progbits
	.globl fl_vdso_load_pc
	.hidden fl_vdso_load_pc
	.type fl_vdso_load_pc, @function
fl_vdso_load_pc:
	mov (%esp), %eax
	ret
	.size fl_vdso_load_pc, . - fl_vdso_load_pc

	.section .note.GNU-stack, "", @progbits
