/* x87 and SSE state across a signal: the handler starts with a clean state, may spoil everything, and the interrupted
 * code gets its registers, control word and MXCSR back. What the handler writes into the frame's state arrives. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "support/guest.h"

static char* bad_page;
static unsigned short handler_cw;
static unsigned handler_mxcsr, handler_tag;
static int edit_frame;

static void handler(int sig, siginfo_t* info, void* context) {
  (void)sig;
  ucontext_t* uc = context;
  struct {
    unsigned short cw, r0, sw, r1, tag, r2;
    unsigned rest[4];
  } env;
  __asm__ volatile("fnstenv %0\n\tfldcw %0\n\tstmxcsr %1" : "=m"(env), "=m"(handler_mxcsr));
  handler_cw = env.cw;
  handler_tag = env.tag;
  const unsigned all_rounding = 0x7f80;
  __asm__ volatile(
      "fninit\n\tfldpi\n\tfldl2e\n\tfldln2\n\tpcmpeqd %%xmm0, %%xmm0\n\tpcmpeqd %%xmm3, %%xmm3\n\t"
      "pcmpeqd %%xmm7, %%xmm7\n\tldmxcsr %0"
      :
      : "m"(all_rounding)
      : "memory");
  if (edit_frame) {
    /* struct _fpstate: x87 registers as 8 times 10 bytes at 28; magic at 110; FXSR part at 112, xmm at 112 + 160. */
    char* fp = (char*)uc->uc_mcontext.fpregs;
    unsigned char five[16];
    memset(five, 5, sizeof five);
    memcpy(fp + 112 + 160 + 3 * 16, five, 16);
  }
  mprotect((void*)((uintptr_t)info->si_addr & -PAGE), PAGE, PROT_READ | PROT_WRITE);
}

static void round_trip(const char* name) {
  unsigned char xmm[3][16];
  double st0 = 0, st1 = 0;
  unsigned short cw = 0;
  unsigned mxcsr = 0;
  static const unsigned char pattern[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  const unsigned short new_cw = 0x0f7f; /* round towards zero, extended */
  const unsigned new_mxcsr = 0x9f80;    /* flush to zero */
  const double a = 2.5, b = -7.25;
  mprotect(bad_page, PAGE, PROT_NONE);
  __asm__ volatile(
      "fninit\n\tfldcw %[ncw]\n\tldmxcsr %[nmx]\n\tfldl %[b]\n\tfldl %[a]\n\t"
      "movups (%[pat]), %%xmm0\n\tmovups (%[pat]), %%xmm3\n\tpaddb %%xmm3, %%xmm3\n\tmovups (%[pat]), %%xmm7\n\t"
      "movl $1, (%[bad])\n\t"
      "movups %%xmm0, %[x0]\n\tmovups %%xmm3, %[x3]\n\tmovups %%xmm7, %[x7]\n\t"
      "fnstcw %[cw]\n\tstmxcsr %[mx]\n\tfstpl %[st0]\n\tfstpl %[st1]\n\tfninit"
      : [x0] "=m"(xmm[0]), [x3] "=m"(xmm[1]), [x7] "=m"(xmm[2]), [cw] "=m"(cw), [mx] "=m"(mxcsr), [st0] "=m"(st0),
        [st1] "=m"(st1)
      : [ncw] "m"(new_cw), [nmx] "m"(new_mxcsr), [a] "m"(a), [b] "m"(b), [pat] "r"(pattern), [bad] "r"(bad_page)
      : "memory");
  const unsigned plain = 0x1f80;
  __asm__ volatile("ldmxcsr %0" : : "m"(plain));
  printf("%s: handler cw %04x tag %04x mxcsr %04x; after cw %04x mxcsr %04x st %d.%02d %d.%02d\n", name, handler_cw,
         handler_tag, handler_mxcsr, cw, mxcsr, (int)st0, (int)(st0 * 100) % 100, (int)st1, -(int)(st1 * 100) % 100);
  for (int r = 0; r < 3; ++r) {
    for (int i = 0; i < 16; ++i) printf("%02x", xmm[r][i]);
    printf("\n");
  }
}

int main(void) {
  bad_page = mmap(0, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, 0);
  round_trip("kept");
  edit_frame = 1;
  round_trip("edited xmm3");
  return 0;
}
