/* Self-modifying code: four stubs on one page patched in turn, a page that mixes code with the data it changes, an
 * instruction that patches the next one, a loop that patches itself, patches by rep movs and by atomic operations, code
 * patched across a page boundary, and code below which mprotect changes the rights (W^X as a JIT does it). */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "support/guest.h"

#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
static char* map(unsigned pages, int prot) { return mmap(0, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static int call(const void* p) { return ((int (*)(void))p)(); }
static void stub(char* p, int value) { /* movl $value, %eax; ret */
  p[0] = (char)0xb8;
  memcpy(p + 1, &value, 4);
  p[5] = (char)0xc3;
}

int main(void) {
  char* page = map(2, RWX);
  printf("four stubs:");
  for (int i = 0; i < 4; ++i) stub(page + i * 64, 0);
  for (int round = 1; round <= 5; ++round) {
    for (int i = 0; i < 4; ++i) {
      *(volatile int*)(page + i * 64 + 1) = round * 10 + i;
      for (int j = 0; j < 4; ++j) printf("%s%d", j ? "," : " ", call(page + j * 64));
    }
  }

  /* incl counter; movl counter, %eax; ret - with the counter on the same page */
  char* counter = page + 512;
  memset(counter, 0, 4);
  char* mixed = page + 600;
  mixed[0] = (char)0xff, mixed[1] = 0x05;
  memcpy(mixed + 2, &counter, 4);
  mixed[6] = (char)0xa1;
  memcpy(mixed + 7, &counter, 4);
  mixed[11] = (char)0xc3;
  printf("\ncode and data:");
  for (int i = 0; i < 5; ++i) printf(" %d", call(mixed));
  printf(" %d", *(int*)counter);

  /* movb $7, next+1; movl $1, %eax; ret: the store changes the instruction that follows it at once. */
  char* next = page + 700;
  const char* target = next + 8;
  next[0] = (char)0xc6, next[1] = 0x05;
  memcpy(next + 2, &target, 4);
  next[6] = 7;
  stub(next + 7, 1);
  printf("\npatches the next instruction: %d", call(next));

  /* movl $n, %ecx; xorl %eax, %eax; L: addl $1, %eax; incb L+2; loop L; ret: sums 1..n as it patches its own operand */
  char* loop = page + 800;
  const unsigned char code[] = {0xb9, 10, 0, 0, 0, 0x31, 0xc0, 0x83, 0xc0, 1, 0xfe, 0x05, 0, 0, 0, 0, 0xe2, 0xf5, 0xc3};
  memcpy(loop, code, sizeof code);
  const char* operand = loop + 9;
  memcpy(loop + 12, &operand, 4);
  printf("\nloop that patches itself: %d", call(loop));
  loop[9] = 1;
  printf(" %d", call(loop));

  printf("\nrep movs:");
  static char source[5][8];
  for (int i = 0; i < 5; ++i) {
    stub(source[i], 100 + i);
    void* to = page + 900;
    const void* from = source[i];
    unsigned n = 8;
    __asm__ volatile("cld\n\trep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    printf(" %d", call(page + 900));
  }
  printf("\nxchg and xadd:");
  for (int i = 0; i < 3; ++i) {
    int value = 200 + i;
    __asm__ volatile("xchgl %0, (%1)" : "+r"(value) : "r"(page + 901) : "memory");
    printf(" %d", call(page + 900));
    value = 50;
    __asm__ volatile("lock xaddl %0, (%1)" : "+r"(value) : "r"(page + 901) : "memory");
    printf(" %d", call(page + 900));
  }
  printf("\nacross the boundary:");
  char* edge = page + PAGE - 3;
  for (int i = 0; i < 5; ++i) {
    stub(edge, (i + 1) * 0x01010101);
    printf(" %08x", call(edge));
    edge[3] = 0x7f; /* on the second page only */
    printf(" %08x", call(edge));
    edge[1] = 0x7e; /* on the first page only */
    printf(" %08x", call(edge));
  }
  printf("\nrights by turns:");
  char* jit = map(4, PROT_READ | PROT_WRITE);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 4; ++i) stub(jit + i * PAGE + 8, round * 10 + i);
    mprotect(jit, 4 * PAGE, PROT_READ | PROT_EXEC);
    for (int i = 0; i < 4; ++i) printf(" %d", call(jit + i * PAGE + 8));
    mprotect(jit, 4 * PAGE, PROT_READ | PROT_WRITE);
  }
  /* Many generations of code at one place, many places: no old translation may survive. */
  unsigned wrong = 0;
  for (int round = 0; round < 2000; ++round) {
    char* p = page + 1024 + (round * 37) % 2000;
    stub(p, round);
    if (call(p) != round) ++wrong;
  }
  printf("\n2000 generations: %u wrong\n", wrong);
  return 0;
}
