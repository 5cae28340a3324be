/* Accesses that run across the end of the address space, 0xFFFFFFFF. */
#include "support/trap.h"

int main(void) {
  trap_setup();
  static char mine[64];
  TRAP_WITH("read 4 at ffffffff", 0xffffffff, mine, "movl (%%eax), %%ecx");
  TRAP_WITH("read 4 at fffffffd", 0xfffffffd, mine, "movl (%%eax), %%ecx");
  TRAP_WITH("read 4 at fffffffc", 0xfffffffc, mine, "movl (%%eax), %%ecx");
  TRAP_WITH("read 2 at ffffffff", 0xffffffff, mine, "movw (%%eax), %%cx");
  TRAP_WITH("read 1 at ffffffff", 0xffffffff, mine, "movb (%%eax), %%cl");
  TRAP_WITH("write 4 at fffffffe", 0xfffffffe, mine, "movl %%ecx, (%%eax)");
  TRAP_WITH("write 1 at ffffffff", 0xffffffff, mine, "movb %%cl, (%%eax)");
  TRAP_WITH("add 4 at fffffffe", 0xfffffffe, mine, "addl $1, (%%eax)");
  TRAP_WITH("read 8 at fffffffc", 0xfffffffc, mine, "fldl (%%eax)");
  TRAP_WITH("read 16 at fffffff8", 0xfffffff8, mine, "movups (%%eax), %%xmm0");
  TRAP_WITH("write 16 at fffffff8", 0xfffffff8, mine, "movups %%xmm0, (%%eax)");
  TRAP_WITH("push at 2", 2, mine, "movl %%eax, %%esp\n\tpushl $1");
  TRAP_WITH("push at 0", 0, mine, "movl %%eax, %%esp\n\tpushl $1");
  TRAP_WITH("pop at fffffffe", 0xfffffffe, mine, "movl %%eax, %%esp\n\tpopl %%ecx");
  TRAP_WITH("jump to ffffffff", 0xffffffff, mine, "jmp *%%eax");
  TRAP_WITH("jump to fffffff0", 0xfffffff0, mine, "jmp *%%eax");
  TRAP_WITH("rep movsb", 0xfffffff8, mine, "movl %%eax, %%esi\n\tmovl %%edx, %%edi\n\tmovl $16, %%ecx\n\trep movsb");
  TRAP_WITH("index wraps to 4", 0xffffff00, mine, "movl 0x104(%%eax), %%ecx");
  TRAP_WITH("index wraps to a good page", 0xffffff00, (uintptr_t)mine + 0x100, "movl (%%eax,%%edx), %%ecx");
  fflush(stdout);
  return 0;
}
