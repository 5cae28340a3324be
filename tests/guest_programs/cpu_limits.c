/* What processors do and Unicorn 2.1.4 is known not to: the tests expect faultline to differ here, so that each of
 * these is noticed on the day it works and can move to the program where it belongs (traps, si_addr, repair). */
#include "support/trap.h"

static char* area;
static unsigned word_at_fault;

static void look(int sig, siginfo_t* info, void* context) {
  (void)sig;
  (void)context;
  word_at_fault = *(volatile unsigned*)(area + PAGE - 4);
  mprotect((void*)((uintptr_t)info->si_addr & -PAGE), PAGE, PROT_READ | PROT_WRITE);
}

int main(void) {
  trap_setup();
  /* LOCK before an instruction that may not have it. */
  TRAP("lock on a register move", ".byte 0xf0, 0x89, 0xc3");
  /* x87: 0/0 raises the invalid exception; a pending one is reported by the next waiting instruction, not fwait alone.
   */
  TRAP("x87 invalid, then fwait",
       "fninit\n\tpushl $0x33e\n\tfldcw (%%esp)\n\tfldz\n\tfldz\n\tfdivp %%st, %%st(1)\n\tfwait");
  TRAP("x87 divide, then the next x87 instruction",
       "fninit\n\tpushl $0x33b\n\tfldcw (%%esp)\n\tfld1\n\tfldz\n\tfdivrp %%st, %%st(1)\n\tnop\n\tfld1");
  /* SSE: an unmasked exception, and an unaligned operand where an aligned one is required. */
  static const unsigned divide_unmasked = 0x1d80, masked = 0x1f80;
  TRAP_WITH("sse divide by zero", &divide_unmasked, 0,
            "ldmxcsr (%%eax)\n\tpxor %%xmm1, %%xmm1\n\tpcmpeqd %%xmm0, %%xmm0\n\tpsrld $25, %%xmm0\n\t"
            "cvtdq2ps %%xmm0, %%xmm0\n\tdivps %%xmm1, %%xmm0");
  __asm__ volatile("ldmxcsr %0" : : "m"(masked));
  area = mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(area, 0x5a, 3 * PAGE);
  trap_base = (uintptr_t)area;
  trap_span = 3 * PAGE;
  TRAP_WITH("movaps, unaligned", area + 8, 0, "movaps (%%eax), %%xmm0");
  /* pusha writes downwards, so its first fault is on the upper page. */
  mprotect(area + PAGE, PAGE, PROT_READ);
  TRAP_WITH("pusha", area + 2 * PAGE + 16, 0, "movl %%eax, %%esp\n\tpusha");
  /* A 16-byte store across a boundary whose second page faults stores nothing. */
  struct sigaction action = {.sa_sigaction = look, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGSEGV, &action, 0);
  __asm__ volatile("pxor %%xmm0, %%xmm0\n\tmovups %%xmm0, (%0)" : : "r"(area + PAGE - 8) : "memory");
  printf("16-byte store across: word before the boundary %08x, after %08x\n", word_at_fault,
         *(unsigned*)(area + PAGE - 4));
  fflush(stdout);
  return 0;
}
