/* B1, B2: x87 and SSE operands on absent pages and across page boundaries: loads, stores, integer forms, 80 bits, the
 * environment, MXCSR. fxsave is left out: which page it touches first is the processor's choice. */
#include <sys/mman.h>
#include "support/guest.h"

static char* p;
#define AT(offset, code)                                                   \
  do {                                                                     \
    __asm__ volatile(code : : "r"(p + (offset)) : "memory", "st", "xmm0"); \
    p += 3 * PAGE;                                                         \
  } while (0)

__attribute__((target("sse2"))) int main(void) {
  p = mmap(0, 96 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  AT(0, "flds (%0)\n\tfstps (%0)");
  AT(PAGE - 2, "fldl (%0)\n\tfstpl (%0)");
  AT(PAGE - 6, "fldt (%0)\n\tfstpt (%0)");
  AT(PAGE - 6, "fld1\n\tfstpt (%0)");
  AT(PAGE - 1, "fld1\n\tfistps (%0)");
  AT(PAGE - 4, "fld1\n\tfistpll (%0)");
  AT(PAGE - 4, "fldz\n\tfaddl (%0)\n\tfstp %%st");
  AT(PAGE - 2, "fnstcw (%0)");
  AT(PAGE - 1, "fnstcw (%0)\n\tfldcw (%0)");
  AT(0, "fnstsw (%0)");
  AT(0, "stmxcsr (%0)\n\tldmxcsr (%0)");
  AT(0, "movaps (%0), %%xmm0\n\tmovaps %%xmm0, (%0)");
  AT(PAGE - 8, "movups (%0), %%xmm0");
  AT(PAGE - 8, "movups %%xmm0, (%0)");
  AT(PAGE - 4, "movq %%xmm0, (%0)");
  AT(PAGE - 3, "movd %%xmm0, (%0)");
  AT(PAGE, "movntps %%xmm0, (%0)");
  AT(PAGE - 8, "movhps (%0), %%xmm0\n\tmovlps %%xmm0, (%0)");
  AT(0, "paddb (%0), %%xmm0");
  AT(0, "cvtsi2sd (%0), %%xmm0");
  AT(0, "prefetcht0 (%0)\n\tprefetchnta 4096(%0)");
  put("done\n");
  return 0;
}
