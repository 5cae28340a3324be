/* B1: bit instructions whose register operand moves the address, exchanges, cmpxchg8b, setcc, xlat, and forms that read
 * only (bt, test, cmp): kind and page of the one fault each takes. */
#include <sys/mman.h>
#include "support/guest.h"

static char* p;
#define AT(code)                                                                                       \
  do {                                                                                                 \
    unsigned a = 0, d = 0;                                                                             \
    __asm__ volatile(code : "+a"(a), "+d"(d) : "S"(p), "D"(PAGE * 8), "b"(p) : "ecx", "memory", "cc"); \
    p += 4 * PAGE;                                                                                     \
  } while (0)

int main(void) {
  p = mmap(0, 96 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  p += PAGE;
  AT("btl %%edi, (%%esi)");
  AT("btsl %%edi, (%%esi)");
  AT("lock btrl %%edi, (%%esi)");
  AT("negl %%edi\n\tbtcl %%edi, (%%esi)\n\tnegl %%edi");
  AT("xchgl %%eax, 4094(%%esi)");
  AT("xaddl %%eax, (%%esi)");
  AT("cmpxchgl %%ecx, (%%esi)");
  AT("movl $0, %%ecx\n\tlock cmpxchg8b (%%esi)");
  AT("sete (%%esi)");
  AT("movb $5, %%al\n\txlat");
  AT("testl %%eax, (%%esi)");
  AT("cmpb $0, (%%esi)");
  AT("incb (%%esi)");
  AT("notl 4093(%%esi)");
  AT("shldl $4, %%eax, (%%esi)");
  AT("roll $3, (%%esi)");
  AT("cmovel (%%esi), %%eax");
  AT("orl %%eax, %%eax\n\tcmovnel (%%esi), %%eax");
  AT("imull $3, (%%esi), %%eax");
  AT("andl $0, (%%esi)");
  put("done\n");
  return 0;
}
