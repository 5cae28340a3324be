/* Rules B2 and B3: accesses that cross a page boundary fault once per absent page, lower page first; copies from an
 * untouched to an untouched page take a read and a write fault for each pair; string instructions go page by page. */
#include <sys/mman.h>
#include "support/guest.h"

static char* next_pages;

/* Two fresh pages; the instruction works on `cross`, 2 bytes below their boundary. */
#define CROSS_AT(name, back, insn)                                                         \
  do {                                                                                     \
    char* p = next_pages + PAGE - (back);                                                  \
    next_pages += 2 * PAGE;                                                                \
    phase_start();                                                                         \
    __asm__ volatile(insn : : "S"(p) : "eax", "ecx", "edx", "ebx", "edi", "memory", "cc"); \
    phase_end(name);                                                                       \
  } while (0)
#define CROSS(name, insn) CROSS_AT(name, 2, insn)

int main(int argc, char** argv) {
  (void)argv;
  phases_begin();
  char* area = mmap(0, 512 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  next_pages = area;
  CROSS("load", "movl (%0), %%eax");
  CROSS("store", "movl $-1, (%0)");
  CROSS("add", "addl $5, (%0)");
  CROSS("lock_add", "lock addl $5, (%0)");
  CROSS("xchg", "movl $1, %%eax\n\txchgl %%eax, (%0)");
  CROSS("cmpxchg", "movl $1, %%eax\n\tcmpxchgl %%eax, (%0)");
  CROSS("cmpxchg8b", "xorl %%eax,%%eax\n\tcltd\n\tmovl $1,%%ebx\n\tmovl $2,%%ecx\n\tcmpxchg8b (%0)");
  CROSS("bts", "btsl $20, (%0)");
  CROSS("load_word", "movw -1+2(%0), %%ax");
  CROSS("load_not_crossing", "movw (%0), %%ax");
  CROSS("movzx", "movzwl 1(%0), %%eax");
  CROSS("fstp_double", "fld1\n\tfstpl (%0)");
  CROSS("fld_double", "fldl (%0)\n\tfstp %%st(0)");
  CROSS("fstp_tbyte", "fld1\n\tfstpt (%0)");
  CROSS("fld_tbyte", "fldt (%0)\n\tfstp %%st(0)");
  CROSS("fistp_word", "fld1\n\tfistps 1(%0)");
  CROSS_AT("movups_store", 8, "pxor %%xmm0,%%xmm0\n\tmovups %%xmm0, (%0)");
  CROSS_AT("movups_load", 8, "movups (%0), %%xmm0");
  CROSS_AT("movq_store", 4, "pxor %%xmm0,%%xmm0\n\tmovq %%xmm0, (%0)");
  /* A comparison of the order leaves out fxsave and repe cmps, where processors differ, and pusha (cpu_limits.c). */
  if (argc == 1) CROSS_AT("fxsave", 256, "fxsave (%0)");
  CROSS_AT("fnstenv", 14, "fnstenv (%0)\n\tfninit");
  CROSS_AT("fnsave", 54, "fnsave (%0)");
  if (argc == 1) CROSS_AT("pusha", -16, "xchgl %%esp, %%esi\n\tpusha\n\taddl $32, %%esp\n\txchgl %%esp, %%esi");
  CROSS_AT("push_cross", -2, "xchgl %%esp, %%esi\n\tpushl $1\n\taddl $4, %%esp\n\txchgl %%esp, %%esi");
  CROSS_AT("pop_cross", 2, "xchgl %%esp, %%esi\n\tpopl %%eax\n\tsubl $4, %%esp\n\txchgl %%esp, %%esi");
  CROSS_AT("call_cross", -2, "xchgl %%esp, %%esi\n\tcall 1f\n1:\taddl $4, %%esp\n\txchgl %%esp, %%esi");
  CROSS("push_mem", "pushl (%0)\n\tpopl %%eax");
  CROSS("pop_mem", "pushl $3\n\tpopl (%0)");
  CROSS("bts_far", "movl $0x4000, %%eax\n\tbtsl %%eax, -2048(%0)");
  CROSS("xlat", "movl %0, %%ebx\n\tmovb $16, %%al\n\txlat");
  CROSS("prefetch", "prefetcht0 (%0)\n\tprefetcht0 2(%0)");
  CROSS("nop_mem", "nopl (%0)");
  CROSS("lea", "leal (%0), %%eax");
  /* One of the two pages is there. */
  CROSS("second_absent", "movb $1, (%0)\n\tmovl $-1, (%0)");
  CROSS("first_absent", "movb $1, 2(%0)\n\tmovl $-1, (%0)");
  CROSS("second_zero_page", "movb $1, (%0)\n\tmovb 2(%0), %%al\n\tmovl $-1, (%0)");
  /* B3 and string instructions: source and destination fresh. */
  CROSS_AT("movs", PAGE, "movl %0, %%edi\n\taddl $4096, %%edi\n\tmovsl\n\tsubl $4, %%esi");
  char* p = next_pages;
#define STRING(name, insn, src, dst, count)                                                 \
  do {                                                                                      \
    unsigned c = (count);                                                                   \
    const char* s = (src);                                                                  \
    char* d = (dst);                                                                        \
    phase_start();                                                                          \
    __asm__ volatile("cld\n\t" insn : "+c"(c), "+S"(s), "+D"(d) : "a"(0) : "memory", "cc"); \
    phase_end(name);                                                                        \
  } while (0)
  STRING("rep_movsb_8_pages", "rep movsb", p, p + 16 * PAGE, 8 * PAGE);
  p += 32 * PAGE;
  STRING("rep_movsl_unaligned", "rep movsl", p + 1, p + 16 * PAGE + 2, 2 * PAGE);
  p += 32 * PAGE;
  STRING("rep_movsl_cross_once", "rep movsl", p + PAGE - 2, p + 17 * PAGE - 1, 1);
  p += 32 * PAGE;
  STRING("rep_stosl_8_pages", "rep stosl", p, p, 2 * PAGE);
  p += 16 * PAGE;
  STRING("rep_lodsb_4_pages", "rep lodsb", p, p, 4 * PAGE);
  p += 16 * PAGE;
  STRING("repe_scasb_4_pages", "repe scasb", p, p, 4 * PAGE);
  p += 16 * PAGE;
  if (argc == 1) STRING("repe_cmpsb_4_pages", "repe cmpsb", p, p + 16 * PAGE, 4 * PAGE);
  p += 32 * PAGE;
  STRING("rep_movsb_backwards", "std\n\trep movsb\n\tcld", p + 4 * PAGE - 1, p + 12 * PAGE - 1, 4 * PAGE);
  p += 32 * PAGE;
  STRING("rep_movsb_count_0", "rep movsb", p, p + 4 * PAGE, 0);
  STRING("rep_movsb_overlap", "rep movsb", p, p + 1, 3 * PAGE);
  p += 16 * PAGE;
  phase_start();
  (void)read_byte(p);
  write_byte(p, 1);
  phase_end("read_then_write");
  return phases_print();
}
