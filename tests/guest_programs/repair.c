/* A SIGSEGV handler that repairs the mapping and returns: the instruction is tried again and must have had no effect
 * before. Plain accesses, read-modify-write, stores across a boundary whose second page faults, rep movs stopped
 * half-way (registers and memory at the time of the fault), push, call, cmpxchg8b, x87 stores. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "support/guest.h"

static char* area;
static unsigned faults, ecx_at_fault, esi_at_fault, edi_at_fault, before_at_fault;
static int page_at_fault, lifted;

static void handler(int sig, siginfo_t* info, void* context) {
  (void)sig;
  ucontext_t* uc = context;
  ++faults;
  page_at_fault = (int)((uintptr_t)info->si_addr - (uintptr_t)area) / (int)PAGE;
  ecx_at_fault = uc->uc_mcontext.gregs[REG_ECX];
  esi_at_fault = uc->uc_mcontext.gregs[REG_ESI] - (uintptr_t)area;
  edi_at_fault = uc->uc_mcontext.gregs[REG_EDI] - (uintptr_t)area;
  before_at_fault = *(volatile unsigned*)(area + PAGE - 4); /* the last word of the good page */
  const int at = info->si_code == SEGV_MAPERR;
  char* page = (char*)((uintptr_t)info->si_addr & -PAGE);
  if (at)
    mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  else
    mprotect(page, PAGE, PROT_READ | PROT_WRITE);
  lifted |= 1 << at;
}

static void prepare(void) {
  mmap(area, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  for (unsigned i = 0; i < 4 * PAGE; ++i) area[i] = (char)(i * 7 + i / 251);
  mprotect(area + PAGE, PAGE, PROT_NONE);
  mprotect(area + 2 * PAGE, PAGE, PROT_READ);
  munmap(area + 5 * PAGE, PAGE);
  faults = 0;
}
static unsigned checksum(void) {
  unsigned sum = 0;
  mprotect(area, 4 * PAGE, PROT_READ);
  for (unsigned i = 0; i < 4 * PAGE; ++i) sum = sum * 31 + (unsigned char)area[i];
  return sum;
}

#define TRY(name, where, insn)                                                                                      \
  do {                                                                                                              \
    prepare();                                                                                                      \
    unsigned a = 0, c = 0x11223344, d = 0x55667788, S = (unsigned)(where), D = (unsigned)(where);                   \
    __asm__ volatile("cld\n\t" insn : "+a"(a), "+c"(c), "+d"(d), "+S"(S), "+D"(D) : : "memory", "cc");              \
    printf("%s: %u faults, page %d, word before %08x; eax %08x ecx %08x esi %d edi %d; sum %08x\n", name, faults,   \
           page_at_fault, before_at_fault, a, c, (int)(S - (unsigned)area), (int)(D - (unsigned)area), checksum()); \
  } while (0)

int main(void) {
  area = mmap(0, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  static char stack[64 * 1024]; /* some cases have their stack pointer in the area */
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternate, 0);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGSEGV, &action, 0);
  char *none = area + PAGE, *ro = area + 2 * PAGE, *hole = area + 5 * PAGE;
  TRY("load", none + 16, "movl (%%esi), %%eax");
  TRY("store", none + 16, "movl %%ecx, (%%esi)");
  TRY("store to read-only", ro + 16, "movl %%ecx, (%%esi)");
  TRY("store to hole", hole + 16, "movl %%ecx, (%%esi)\n\tmovl 2(%%esi), %%eax");
  TRY("store across", none - 2, "movl %%ecx, (%%esi)");
  TRY("store across into read-only", ro + PAGE - 4097, "movl %%ecx, (%%esi)");
  TRY("load across", none - 3, "movl (%%esi), %%eax");
  TRY("add across", none - 2, "addl %%ecx, (%%esi)");
  TRY("xchg across", none - 1, "xchgl %%ecx, (%%esi)");
  TRY("xadd", none + 8, "lock xaddl %%ecx, (%%esi)");
  TRY("inc read-only", ro + 8, "incl (%%esi)");
  TRY("adc", ro + 8, "stc\n\tadcl %%ecx, (%%esi)\n\tadcl $0, %%eax");
  TRY("neg", none + 12, "negl (%%esi)");
  TRY("bts", none + 12, "btsl $5, (%%esi)\n\tsbbl %%eax, %%eax");
  TRY("cmpxchg8b across", none - 4,
      "pushl %%ebx\n\tmovl (%%esi), %%eax\n\tmovl 4(%%esi), %%edx\n\tmovl $1, %%ebx\n\tcmpxchg8b (%%esi)\n\tpopl "
      "%%ebx");
  TRY("x87 store across", none - 4, "fld1\n\tfstpl (%%esi)");
  TRY("x87 load and store", none + 20, "fldl (%%esi)\n\tfstpl 8(%%esi)");
  TRY("push", none + PAGE, "xchgl %%esp, %%esi\n\tpushl %%ecx\n\txchgl %%esp, %%esi");
  TRY("push across", none + 2, "xchgl %%esp, %%esi\n\tpushl %%ecx\n\txchgl %%esp, %%esi");
  TRY("pop", none, "xchgl %%esp, %%esi\n\tpopl %%eax\n\txchgl %%esp, %%esi");
  TRY("rep movsb into", none - 100, "leal -2000(%%esi), %%esi\n\tmovl $300, %%ecx\n\trep movsb");
  printf("  at the fault: ecx %u esi %u edi %u\n", ecx_at_fault, esi_at_fault, edi_at_fault);
  TRY("rep movsl out of", none - 40, "movl $30, %%ecx\n\tleal -1000(%%edi), %%edi\n\trep movsl");
  printf("  at the fault: ecx %u esi %u edi %u\n", ecx_at_fault, esi_at_fault, edi_at_fault);
  TRY("rep stosw through two", none - 10, "movl $5000, %%ecx\n\trep stosw");
  printf("  at the last fault: ecx %u edi %u\n", ecx_at_fault, edi_at_fault);
  TRY("std rep movsb", none + 50, "std\n\tmovl $100, %%ecx\n\tleal 6000(%%edi), %%edi\n\trep movsb\n\tcld");
  TRY("repe cmpsb", none - 30, "movl $64, %%ecx\n\trepe cmpsb");
  TRY("repne scasb", none - 30, "movl $64, %%ecx\n\tmovb $0x55, %%al\n\trepne scasb");
  TRY("rep lodsb", none - 30, "movl $64, %%ecx\n\trep lodsb");
  printf("repaired both kinds: %d\n", lifted);
  return 0;
}
