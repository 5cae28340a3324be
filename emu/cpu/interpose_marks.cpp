// Two helpers of libunicorn with a mark left before they do their work; both are reached by a jump, as if called
// directly.
//
// helper_raise_interrupt(env, vector, length): int n, int3. The mark is the instruction's length: it tells int n from
// the exception with the same number, and where the instruction starts, prefixes included; env is kept too (see
// register_window.hpp). helper_load_seg(env,
// register, selector): the guest loads a segment register. Without the mark segment registers need not be read back
// after a run.
#include <dlfcn.h>

#include "emu/cpu/block_counter.hpp"
#include "mmu/base/check.hpp"

#if !defined(__x86_64__)
#error "the interposing sources are written for x86-64 hosts; configure with -DFAULTLINE_INTERPOSE=OFF"
#endif

extern "C" {

extern void* fl_interposed_marks;

void* fl_original_raise_interrupt = nullptr;
void* fl_original_load_seg = nullptr;

void helper_raise_interrupt_x86_64();
void helper_load_seg_x86_64();

asm(R"(
    .text
    .globl helper_raise_interrupt_x86_64
    .type helper_raise_interrupt_x86_64, @function
helper_raise_interrupt_x86_64:
    movl %edx, fl_engine_marks(%rip)
    movq %rdi, fl_engine_marks+8(%rip)
    jmpq *fl_original_raise_interrupt(%rip)
    .size helper_raise_interrupt_x86_64, . - helper_raise_interrupt_x86_64

    .globl helper_load_seg_x86_64
    .type helper_load_seg_x86_64, @function
helper_load_seg_x86_64:
    movl $1, fl_engine_marks+4(%rip)
    jmpq *fl_original_load_seg(%rip)
    .size helper_load_seg_x86_64, . - helper_load_seg_x86_64
)");

__attribute__((constructor)) void fl_register_mark_interposition() {
  fl_original_raise_interrupt = dlsym(RTLD_NEXT, "helper_raise_interrupt_x86_64");
  fl_original_load_seg = dlsym(RTLD_NEXT, "helper_load_seg_x86_64");
  FL_CHECK(fl_original_raise_interrupt != nullptr && fl_original_load_seg != nullptr, "libunicorn lacks a helper");
  fl_interposed_marks = reinterpret_cast<void*>(&helper_load_seg_x86_64);
}
}
