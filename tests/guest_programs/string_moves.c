/* B1-B3: string instructions from and to untouched pages, forwards and backwards, across page boundaries, with and
 * without rep. repe cmps is left out: which operand it touches first is the processor's choice. */
#include <sys/mman.h>
#include "support/guest.h"

static char* fresh(unsigned pages) {
  return mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int main(void) {
  char* p = fresh(64);
  const void* s = p;
  void* d = p + 16 * PAGE + 100;
  unsigned n = 5 * PAGE;
  __asm__ volatile("rep movsb" : "+S"(s), "+D"(d), "+c"(n) : : "memory");
  s = p + 40 * PAGE - 4, d = p + 60 * PAGE - 4, n = 4 * PAGE / 4;
  __asm__ volatile("std\n\trep movsl\n\tcld" : "+S"(s), "+D"(d), "+c"(n) : : "memory");
  p = fresh(16);
  d = p + PAGE - 2, n = PAGE / 4;
  __asm__ volatile("rep stosl" : "+D"(d), "+c"(n) : "a"(0x01010101) : "memory");
  s = p + 4 * PAGE - 1;
  unsigned value;
  __asm__ volatile("lodsl" : "=a"(value), "+S"(s) : : "memory");
  d = p + 6 * PAGE, n = 3 * PAGE;
  __asm__ volatile("repe scasb" : "+D"(d), "+c"(n) : "a"(0) : "memory", "cc");
  s = p + 10 * PAGE - 1, d = p + 12 * PAGE - 1;
  __asm__ volatile("movsw\n\tmovsb\n\tmovsl" : "+S"(s), "+D"(d) : : "memory");
  put(value == 0 && n == 0 ? "done\n" : "wrong\n");
  return 0;
}
