/* B1, B2, C4: what pushes and pops fault: push, call, pusha, enter and pushf on fresh pages, pop and add into fresh
 * memory, with the stack pointer at a page boundary. Each runs on a stack of its own. */
#include <sys/mman.h>
#include "support/guest.h"

static char *stack, *target;
#define ON_STACK(offset, code)                                                        \
  do {                                                                                \
    unsigned saved;                                                                   \
    __asm__ volatile("movl %%esp, %0\n\tmovl %1, %%esp\n\t" code "\n\tmovl %0, %%esp" \
                     : "=&S"(saved)                                                   \
                     : "r"(stack + (offset)), "D"(target)                             \
                     : "eax", "ecx", "edx", "memory", "cc");                          \
    stack += 4 * PAGE;                                                                \
    target += 4 * PAGE;                                                               \
  } while (0)

int main(void) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  stack = mmap(0, 64 * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
  target = mmap(0, 64 * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
  ON_STACK(2 * PAGE, "pushl %%edi");
  ON_STACK(2 * PAGE, "pushw %%di\n\tpushl %%edi"); /* crosses nothing: the second at 2 * PAGE - 6 */
  ON_STACK(2 * PAGE + 2, "pushl %%edi");           /* crosses a boundary */
  ON_STACK(2 * PAGE + 12, "pusha");
  ON_STACK(2 * PAGE, "call 1f\n1:");
  ON_STACK(2 * PAGE, "pushf");
  ON_STACK(2 * PAGE, "pushl (%%edi)");
  ON_STACK(2 * PAGE - 4, "popl (%%edi)");
  ON_STACK(2 * PAGE - 4, "popl 4094(%%edi)");
  ON_STACK(2 * PAGE, "pushl $7\n\tpopl (%%edi)\n\taddl %%eax, 4094(%%edi)");
  ON_STACK(2 * PAGE - 8, "popl %%eax\n\tpopl %%ecx\n\tpopl %%edx");
  ON_STACK(2 * PAGE - 2, "popl %%eax");
  put("done\n");
  return 0;
}
