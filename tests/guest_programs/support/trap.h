/* Support for programs that provoke signals: TRAP(name, instructions) runs a few instructions; a handler on its own
 * stack notes what it was told and goes on behind them. One line each: name, signal, si_code, si_addr, where EIP stood.
 *
 * Addresses are printed as "ip" (the first instruction), "ip+n", or a number relative to `trap_base` if it is near it,
 * so that the text does not depend on the layout. The trap number and error code are printed for exceptions other than
 * page faults, whose error code says more about the kernel than about the program.
 */
#pragma once
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "guest.h"

static volatile uintptr_t trap_ip, trap_resume, trap_sp, trap_bp, trap_base, trap_span;
static volatile int trap_signals;
static siginfo_t trap_info;
static greg_t trap_regs[NGREG];

static void trap_handler(int sig, siginfo_t* info, void* context) {
  ucontext_t* uc = context;
  if (!trap_resume || trap_signals++) { /* a signal where none was asked for, or a second one */
    put("unexpected signal\n");
    raw3(kSysExit, 99, 0, 0);
  }
  (void)sig;
  trap_info = *info;
  memcpy(trap_regs, uc->uc_mcontext.gregs, sizeof trap_regs);
  uc->uc_mcontext.gregs[REG_EIP] = (greg_t)trap_resume;
  uc->uc_mcontext.gregs[REG_ESP] = (greg_t)trap_sp;
  uc->uc_mcontext.gregs[REG_EBP] = (greg_t)trap_bp;
  uc->uc_mcontext.gregs[REG_EFL] &= ~0x500; /* DF, TF */
  __asm__ volatile("fninit");
}

static void trap_setup(void) {
  static char stack[64 * 1024];
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternate, 0);
  struct sigaction action = {.sa_sigaction = trap_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; ++i) sigaction(signals[i], &action, 0);
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
}

static void trap_address(uintptr_t address) {
  if (address - trap_ip < 64) {
    if (address == trap_ip)
      printf("ip");
    else
      printf("ip+%u", (unsigned)(address - trap_ip));
  } else if (trap_span && address - trap_base + PAGE < trap_span + 2 * PAGE) {
    printf("base%+d", (int)(address - trap_base));
  } else {
    printf("%08x", (unsigned)address);
  }
}

static __attribute__((unused)) void trap_report(const char* name) {
  printf("%s: ", name);
  if (!trap_signals) {
    printf("no signal\n");
    return;
  }
  printf("signal %d code %d addr ", trap_info.si_signo, trap_info.si_code);
  trap_address((uintptr_t)trap_info.si_addr);
  printf(" eip ");
  trap_address((uintptr_t)trap_regs[REG_EIP]);
  if (trap_regs[REG_TRAPNO] != 14) printf(" trap %d error %x", trap_regs[REG_TRAPNO], (unsigned)trap_regs[REG_ERR]);
  printf("\n");
}

/* `in` is in eax before the instructions, `in2` in edx. All registers may be changed; esp and ebp come back. */
#define TRAP_WITH(name, in, in2, insn)                                                                               \
  do {                                                                                                               \
    trap_signals = 0;                                                                                                \
    uintptr_t a_ = (uintptr_t)(in), d_ = (uintptr_t)(in2);                                                           \
    __asm__ volatile(                                                                                                \
        "movl $771f, %[ip]\n\tmovl $772f, %[resume]\n\tmovl %%ebp, %[bp]\n\tmovl %%esp, %[sp]\n"                     \
        "771:\t" insn                                                                                                \
        "\n772:\tmovl %[sp], %%esp\n\tmovl %[bp], %%ebp\n\tcld\n\t"                                                  \
        "movl $0, %[resume]"                                                                                         \
        : [ip] "=m"(trap_ip), [resume] "=m"(trap_resume), [sp] "=m"(trap_sp), [bp] "=m"(trap_bp), "+a"(a_), "+d"(d_) \
        :                                                                                                            \
        : "ebx", "ecx", "esi", "edi", "memory", "cc");                                                               \
    trap_report(name);                                                                                               \
  } while (0)
#define TRAP(name, insn) TRAP_WITH(name, 0, 0, insn)
