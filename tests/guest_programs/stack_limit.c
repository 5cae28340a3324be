/* C4, A3: the stack's limit: a program that lowers it and recurses until SIGSEGV, handled on an alternate stack; what
 * is refused does not count. */
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "support/guest.h"

static sigjmp_buf back;
static volatile int depth;
static void on_segv(int signal) {
  (void)signal;
  siglongjmp(back, 1);
}
static NOINLINE int down(int n) {
  volatile char room[2000];
  room[0] = (char)n;
  depth = n;
  return n < 1 << 20 ? down(n + 1) + room[0] : 0;
}

int main(void) {
  const struct rlimit limit = {300 << 10, 300 << 10};
  setrlimit(RLIMIT_STACK, &limit);
  char* alternate = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const stack_t stack = {.ss_sp = alternate, .ss_flags = 0, .ss_size = 8 * PAGE};
  sigaltstack(&stack, 0);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_segv;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGSEGV, &action, 0);
  for (volatile int i = 0; i < 2; ++i) {
    if (!sigsetjmp(back, 1)) return down(0);
  }
  put(depth > 100 && depth < 200 ? "done\n" : "wrong\n");
  return 0;
}
