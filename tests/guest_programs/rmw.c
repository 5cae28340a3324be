/* Rule B1: a read-modify-write instruction on an absent page is one write fault, never a read and then a write.
 * Each form works on a fresh anonymous page; the byte-wise results are checked so that a wrong retry shows too. */
#include <sys/mman.h>
#include "support/guest.h"

static char* next_page;

#define FORM(name, insn, expect)                                                    \
  do {                                                                              \
    uint32_t* p = (uint32_t*)next_page;                                             \
    next_page += PAGE;                                                              \
    phase_start();                                                                  \
    __asm__ volatile(insn : : "r"(p) : "eax", "ecx", "edx", "ebx", "memory", "cc"); \
    phase_end(name);                                                                \
    if (*p != (uint32_t)(expect)) put("wrong result: " name "\n");                  \
  } while (0)

int main(void) {
  phases_begin();
  next_page = mmap(0, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  FORM("add", "addl $5, (%0)", 5);
  FORM("sub", "subl $1, (%0)", -1);
  FORM("inc", "incl (%0)", 1);
  FORM("dec", "decl (%0)", -1);
  FORM("or", "orl $0x10, (%0)", 0x10);
  FORM("or0", "orl $0, (%0)", 0);
  FORM("and0", "andl $0, (%0)", 0);
  FORM("xor", "xorb $7, (%0)", 7);
  FORM("not", "notl (%0)", -1);
  FORM("neg", "negl (%0)", 0);
  FORM("adc", "stc\n\tadcl $2, (%0)", 3);
  FORM("sbb", "stc\n\tsbbl $2, (%0)", -3);
  FORM("shl", "shll $1, (%0)", 0);
  FORM("sar_cl", "movb $3, %%cl\n\tsarl %%cl, (%0)", 0);
  FORM("rol", "roll $1, (%0)", 0);
  FORM("rcl", "stc\n\trcll $1, (%0)", 1);
  FORM("rcr", "stc\n\trcrl $1, (%0)", 0x80000000u);
  FORM("shld", "movl $-1, %%eax\n\tshldl $4, %%eax, (%0)", 0xf);
  FORM("bts", "btsl $3, (%0)", 8);
  FORM("btr", "btrl $3, (%0)", 0);
  FORM("btc", "btcl $3, (%0)", 8);
  FORM("bts_reg", "movl $31, %%eax\n\tbtsl %%eax, (%0)", 0x80000000u);
  FORM("xadd", "movl $9, %%eax\n\txaddl %%eax, (%0)", 9);
  FORM("xchg", "movl $8, %%eax\n\txchgl %%eax, (%0)", 8);
  FORM("cmpxchg_hit", "xorl %%eax, %%eax\n\tmovl $6, %%ecx\n\tcmpxchgl %%ecx, (%0)", 6);
  FORM("cmpxchg_miss", "movl $1, %%eax\n\tmovl $6, %%ecx\n\tcmpxchgl %%ecx, (%0)", 0);
  FORM("cmpxchg8b",
       "xorl %%eax, %%eax\n\txorl %%edx, %%edx\n\tmovl %0, %%ecx\n\t"
       "pushl %%esi\n\tmovl %%ecx, %%esi\n\tmovl $4, %%ebx\n\tmovl $3, %%ecx\n\t"
       "cmpxchg8b (%%esi)\n\tpopl %%esi",
       4);
  FORM("lock_add", "lock addl $5, (%0)", 5);
  FORM("lock_inc", "lock incl (%0)", 1);
  FORM("lock_bts", "lock btsl $0, (%0)", 1);
  FORM("lock_xadd", "movl $2, %%eax\n\tlock xaddl %%eax, (%0)", 2);
  FORM("lock_cmpxchg_miss", "movl $1, %%eax\n\tmovl $6, %%ecx\n\tlock cmpxchgl %%ecx, (%0)", 0);
  FORM("lock_or0", "lock orl $0, (%0)", 0);
  FORM("xor_word", "xorw $0x101, (%0)", 0x101);
  /* The other side: pure stores, and pure loads, which map the zero page. */
  FORM("mov", "movl $3, (%0)", 3);
  FORM("sete", "xorl %%eax, %%eax\n\tsete (%0)", 1);
  FORM("fst", "fld1\n\tfstps (%0)", 0x3f800000);
  FORM("movups", "pcmpeqd %%xmm0, %%xmm0\n\tmovups %%xmm0, (%0)", -1);
  FORM("pop", "pushl $7\n\tpopl (%0)", 7);
  FORM("cmp_then_add", "cmpl $0, (%0)\n\taddl $1, (%0)", 1);
  FORM("test", "testl $1, (%0)", 0);
  FORM("bt", "btl $3, (%0)", 0);
  return phases_print();
}
