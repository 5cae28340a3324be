/* The order of faults around an instruction that crosses into an absent code page: the data faults of the instructions
 * before it come first, then the fetch of the second page. The translator of an emulator reads ahead; a CPU does not.
 *
 * Two pages of code: data accesses on the first, and at its end `movl $imm, %eax` of which one to four bytes lie on the
 * second. Pages without rights tell the order by the handler's log. Each shape runs twice: the second time from code
 * that an emulator has translated before. With the argument "absent" nothing is refused: data and the second code page
 * are dropped instead (the code is this program's own file then), so that the order stands in a trace of counted
 * faults. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "support/guest.h"

static char *code, *data;
static char log_text[256];
static unsigned log_length;

static void note(const char* text) {
  while (*text) log_text[log_length++] = *text++;
  log_text[log_length] = 0;
}
static void handler(int sig, siginfo_t* info, void* context) {
  (void)sig;
  (void)context;
  char* page = (char*)((uintptr_t)info->si_addr & -PAGE);
  const int in_code = page == code || page == code + PAGE;
  char text[16] = {' ', in_code ? 'c' : 'd', (char)('0' + (page - (in_code ? code : data)) / (long)PAGE), 0};
  note(text);
  if (in_code && info->si_addr != (void*)page && page != code) note("!"); /* the second page starts at its first byte */
  mprotect(page, PAGE, in_code ? PROT_READ | PROT_EXEC : PROT_READ | PROT_WRITE);
}

/* Writes the code so that `bytes` of the 5-byte crossing instruction stand on the first page. `fill` is what lies
 * before it: straight loads and stores, or the same behind a short forward jump (another block). */
static char* emit(int bytes, int with_jump) {
  char* p = code + PAGE - bytes;
  char* const crossing = p;
  p -= 5, p[0] = (char)0xa2; /* movb %al, data + 2 pages */
  const char* at = data + 2 * PAGE;
  memcpy(p + 1, &at, 4);
  p -= 5, p[0] = (char)0xa0; /* movb data + 1 page, %al */
  at = data + PAGE;
  memcpy(p + 1, &at, 4);
  if (with_jump) p -= 2, p[0] = (char)0xeb, p[1] = 0; /* jmp over nothing: a block boundary */
  p -= 5, p[0] = (char)0xa0;                          /* movb data, %al */
  memcpy(p + 1, &data, 4);
  crossing[0] = (char)0xb8; /* movl $0x01020304, %eax; ret */
  const int value = 0x01020304;
  memcpy(crossing + 1, &value, 4);
  crossing[5] = (char)0xc3;
  return p;
}

/* The same as code in the file: an instruction that crosses from one page of .text to the next, reads before it. */
__asm__(
    ".section .text.order,\"ax\",@progbits\n\t.balign 4096\n\t.globl order_page\norder_page:\n\t"
    ".skip 4096 - 16, 0x90\n\t.globl order_start\norder_start:\n\t"
    "movb (%ecx), %al\n\tmovb 4096(%ecx), %al\n\tmovb %al, 8192(%ecx)\n\tmovl $0x01020304, %eax\n\tret\n\t"
    ".balign 4096, 0x90\n\t.previous");
extern char order_page[], order_start[];

static void absent(void) {
  mprotect(order_page + PAGE, PAGE, PROT_READ); /* a VMA of its own: fault-around must not map it with the first */
  mprotect(order_page + PAGE, PAGE, PROT_READ | PROT_EXEC | PROT_WRITE);
  for (int run = 0; run < 2; ++run) {
    madvise(order_page, 2 * PAGE, MADV_DONTNEED);
    madvise(data, 8 * PAGE, MADV_DONTNEED);
    int value = (int)data;
    __asm__ volatile("call *%2" : "=a"(value) : "c"(data), "r"(order_start) : "memory", "cc");
    printf("run %d: %08x\n", run, value);
  }
}

int main(int argc, char** argv) {
  code = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  data = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (argc > 1 && !strcmp(argv[1], "absent")) {
    absent();
    return 0;
  }
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, 0);
  for (int bytes = 1; bytes <= 5; ++bytes) { /* 5: it ends exactly at the boundary, and ret is on the next page */
    for (int with_jump = 0; with_jump < 2; ++with_jump) {
      mprotect(code, 2 * PAGE, PROT_READ | PROT_WRITE);
      memset(code, 0x90, 2 * PAGE);
      char* const start = emit(bytes, with_jump);
      for (int run = 0; run < 2; ++run) {
        log_length = 0;
        log_text[0] = 0;
        mprotect(code, 2 * PAGE, PROT_NONE);
        mprotect(data, 8 * PAGE, PROT_NONE);
        const int value = ((int (*)(void))start)();
        printf("%d bytes, jump %d, run %d: %08x%s\n", bytes, with_jump, run, value, log_text);
      }
    }
  }
  /* A block that was run with all pages present, and then loses only the second code page. */
  mprotect(code, 2 * PAGE, PROT_READ | PROT_WRITE);
  char* const start = emit(2, 0);
  mprotect(code, 2 * PAGE, PROT_READ | PROT_EXEC);
  mprotect(data, 8 * PAGE, PROT_READ | PROT_WRITE);
  (void)((int (*)(void))start)();
  log_length = 0;
  mprotect(code + PAGE, PAGE, PROT_NONE);
  mprotect(data + PAGE, PAGE, PROT_NONE);
  mprotect(data + 2 * PAGE, PAGE, PROT_READ);
  const int value = ((int (*)(void))start)();
  printf("second page lost: %08x%s\n", value, log_text);
  return 0;
}
