// Functions that libunicorn calls through its PLT or by address and that the dynamic linker finds here first.
//
// check_exit_request_x86_64: the translator calls it after each guest load and store to emit a check that lets a memory
// hook stop the engine, and spills the guest's registers for it. Empty, guest code runs 1.3 to 2 times faster; nothing
// here uses memory hooks (the fill hook stops the engine by itself).
//
// helper_check_exit_request_x86_64(uc, in_delay_slot): called at the start of each block. Ours counts. The original
// finds the guest's EIP from its own return address, so it must be reached by a jump, whatever the optimiser does:
// assembly.
//
// Linked as objects with exported symbols (CMake: fl_link_emulator); switched off with -DFAULTLINE_INTERPOSE=OFF.
#include <dlfcn.h>
#include <unicorn/unicorn.h>

#include "emu/cpu/block_counter.hpp"
#include "mmu/base/check.hpp"

#if !defined(__x86_64__)
#error "the interposing sources are written for x86-64 hosts; configure with -DFAULTLINE_INTERPOSE=OFF"
#endif

extern "C" {

extern void* fl_interposed_blocks;
extern void* fl_interposed_access_check;

void* fl_original_check_exit_request = nullptr;

void check_exit_request_x86_64(void* /*tcg_context*/) {}
void helper_check_exit_request_x86_64(void* uc, uint32_t in_delay_slot);

// The limit is reached: ask the engine to stop, then the original leaves the block.
void fl_block_limit_reached(void* uc) { uc_emu_stop(static_cast<uc_engine*>(uc)); }

asm(R"(
    .text
    .globl helper_check_exit_request_x86_64
    .type helper_check_exit_request_x86_64, @function
    .p2align 4
helper_check_exit_request_x86_64:
    .cfi_startproc
    movq fl_block_gate(%rip), %rax
    addq $1, %rax
    movq %rax, fl_block_gate(%rip)
    cmpq fl_block_gate+8(%rip), %rax
    jae 1f
    ret
1:  pushq %rdi
    .cfi_adjust_cfa_offset 8
    pushq %rsi
    .cfi_adjust_cfa_offset 8
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    call fl_block_limit_reached@PLT
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq %rsi
    .cfi_adjust_cfa_offset -8
    popq %rdi
    .cfi_adjust_cfa_offset -8
    jmpq *fl_original_check_exit_request(%rip)
    .cfi_endproc
    .size helper_check_exit_request_x86_64, . - helper_check_exit_request_x86_64
)");

__attribute__((constructor)) void fl_register_block_interposition() {
  fl_original_check_exit_request = dlsym(RTLD_NEXT, "helper_check_exit_request_x86_64");
  FL_CHECK(fl_original_check_exit_request != nullptr, "libunicorn has no helper_check_exit_request_x86_64");
  fl_interposed_blocks = reinterpret_cast<void*>(&helper_check_exit_request_x86_64);
  fl_interposed_access_check = reinterpret_cast<void*>(&check_exit_request_x86_64);
}
}
