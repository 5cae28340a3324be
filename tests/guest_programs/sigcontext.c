/* What a handler sees in ucontext and siginfo, and what it may change: registers, EIP, flags; the signal mask during
 * and after; plain (non-SA_SIGINFO) frames; DF cleared on entry; a read fault repaired by moving EIP. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include "support/guest.h"

static unsigned seen[16], flags_on_entry;
static volatile int plain_signal;
static int masked_inside;

static void with_info(int sig, siginfo_t* info, void* context) {
  __asm__ volatile("pushfl\n\tpopl %0" : "=r"(flags_on_entry));
  ucontext_t* uc = context;
  greg_t* r = uc->uc_mcontext.gregs;
  seen[0] = r[REG_EAX];
  seen[1] = r[REG_EBX];
  seen[2] = r[REG_ECX];
  seen[3] = r[REG_EDX];
  seen[4] = r[REG_ESI];
  seen[5] = r[REG_EDI];
  seen[6] = r[REG_EFL] & 0xed5; /* CF PF AF ZF SF DF OF */
  seen[7] = r[REG_TRAPNO];
  seen[8] = (unsigned)info->si_addr;
  seen[9] = (r[REG_CS] & 3) | (r[REG_SS] & 3) << 4;
  seen[10] = r[REG_ESP] == r[REG_UESP];
  seen[11] = (r[REG_ERR] >> 1) & 3; /* write, user */
  sigset_t now;
  sigprocmask(SIG_BLOCK, 0, &now);
  masked_inside = sigismember(&now, sig) | sigismember(&now, SIGUSR1) << 1 | sigismember(&now, SIGUSR2) << 2;
  r[REG_EAX] = 0x11111111;
  r[REG_EBX] = 0x22222222;
  r[REG_ECX] = 0x33333333;
  r[REG_EDX] = 0x44444444;
  r[REG_ESI] = 0x55555555;
  r[REG_EDI] = 0x66666666;
  r[REG_EFL] = (r[REG_EFL] & ~0xcd5) | 0x40; /* ZF alone, DF off */
  r[REG_EIP] += 2;                           /* over the two-byte movl */
}

static void plain(int sig) { plain_signal = sig; }

int main(void) {
  char* none = mmap(0, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct sigaction action = {.sa_sigaction = with_info, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGUSR1);
  sigaction(SIGSEGV, &action, 0);
  unsigned a, b, c, d, si, di, flags;
  __asm__ volatile(
      "movl $0x12345678, %%ebx\n\tmovl $0x9abcdef0, %%ecx\n\tmovl $0x0fedcba9, %%edx\n\tmovl $0x87654321, %%esi\n\t"
      "movl $0x13579bdf, %%edi\n\tstd\n\tstc\n\tmovl %%ebx, (%%eax)\n\tpushfl\n\tcld\n\tpopl %6"
      : "=a"(a), "=b"(b), "=c"(c), "=d"(d), "=S"(si), "=D"(di), "=m"(flags)
      : "0"(none)
      : "memory", "cc");
  printf("in the handler: eax %s ebx %08x ecx %08x edx %08x esi %08x edi %08x\n",
         seen[0] == (unsigned)none ? "page" : "?", seen[1], seen[2], seen[3], seen[4], seen[5]);
  printf("CF %u DF %u trap %u addr %s rings %02x esp twice %u write,user %u\n", seen[6] & 1, seen[6] >> 10 & 1, seen[7],
         seen[8] == (unsigned)none ? "page" : "?", seen[9], seen[10], seen[11]);
  printf("DF on entry %u, masked inside %d\n", flags_on_entry >> 10 & 1, masked_inside);
  printf("after: %08x %08x %08x %08x %08x %08x flags %03x\n", a, b, c, d, si, di, flags & 0xcd5);

  signal(SIGUSR1, plain);
  raise(SIGUSR1);
  printf("plain frame: %d\n", plain_signal);
  sigset_t block, pending, old;
  sigemptyset(&block);
  sigaddset(&block, SIGUSR1);
  sigprocmask(SIG_BLOCK, &block, 0);
  plain_signal = 0;
  raise(SIGUSR1);
  sigpending(&pending);
  printf("blocked: %d, pending %d\n", plain_signal, sigismember(&pending, SIGUSR1));
  sigprocmask(SIG_UNBLOCK, &block, &old);
  printf("unblocked: %d, was blocked %d\n", plain_signal, sigismember(&old, SIGUSR1));
  struct sigaction once = {.sa_handler = plain, .sa_flags = SA_RESETHAND}, now;
  sigaction(SIGUSR2, &once, 0);
  raise(SIGUSR2);
  sigaction(SIGUSR2, 0, &now);
  printf("once: %d, then default %d\n", plain_signal, now.sa_handler == SIG_DFL);
  signal(SIGUSR2, SIG_IGN);
  raise(SIGUSR2);
  kill(getpid(), SIGUSR1);
  printf("killed: %d\n", plain_signal);
  errno = 0;
  signal(SIGKILL, plain);
  printf("SIGKILL handler: %s\n", errno == EINVAL ? "EINVAL" : "accepted");
  return 0;
}
