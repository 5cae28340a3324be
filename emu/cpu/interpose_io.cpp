// in and out in user mode: a processor checks IOPL and the I/O bitmap and raises #GP; Unicorn leaves the check out and
// executes them, so that emulators can hook ports. These helpers raise the exception. (ins stores a zero byte before it
// asks for the port; the page fault of such a store is turned into #GP in traps.cpp.)
//
// raise_exception_err_ra(env, vector, error_code, retaddr) is libunicorn's and does not return; it finds the guest's
// EIP from the address of the call in the translated code, two bytes before our return address. A compiler may merge
// equal functions, after which there would be another return address: assembly.
#include "emu/cpu/block_counter.hpp"

#if !defined(__x86_64__)
#error "the interposing sources are written for x86-64 hosts; configure with -DFAULTLINE_INTERPOSE=OFF"
#endif

extern "C" {

extern void* fl_interposed_io;

void helper_inb_x86_64();

asm(R"(
    .text
    .globl helper_inb_x86_64, helper_inw_x86_64, helper_inl_x86_64
    .globl helper_outb_x86_64, helper_outw_x86_64, helper_outl_x86_64
    .type helper_inb_x86_64, @function
    .type helper_inw_x86_64, @function
    .type helper_inl_x86_64, @function
    .type helper_outb_x86_64, @function
    .type helper_outw_x86_64, @function
    .type helper_outl_x86_64, @function
    .p2align 4
helper_inb_x86_64:
helper_inw_x86_64:
helper_inl_x86_64:
helper_outb_x86_64:
helper_outw_x86_64:
helper_outl_x86_64:
    .cfi_startproc
    movq (%rsp), %rcx
    subq $2, %rcx
    xorl %edx, %edx
    movl $13, %esi
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    call raise_exception_err_ra_x86_64@PLT
    ud2
    .cfi_endproc
)");

__attribute__((constructor)) void fl_register_io_interposition() {
  fl_interposed_io = reinterpret_cast<void*>(&helper_inb_x86_64);
}
}
