/* sigaltstack: the handler runs there, ss_flags say so, nested signals stay there; a recursion without end meets the
 * stack limit and is reported on the other stack with an address just below the last good page. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include "support/guest.h"

static char stack[64 * 1024];
static sigjmp_buf back;
static volatile int on_stack, nested_on_stack, flags_inside, overflow_code, overflow_near;
static volatile uintptr_t deepest;

static int is_on_stack(void) {
  volatile char here = 0;
  return (uintptr_t)&here - (uintptr_t)stack < sizeof stack;
}
static void nested(int sig) {
  (void)sig;
  nested_on_stack = is_on_stack();
}
static void handler(int sig, siginfo_t* info, void* context) {
  (void)context;
  on_stack = is_on_stack();
  stack_t now;
  sigaltstack(0, &now);
  flags_inside = now.ss_flags;
  if (sig == SIGSEGV) {
    overflow_code = info->si_code;
    const long distance = (long)(deepest - (uintptr_t)info->si_addr);
    overflow_near = distance > -4 * (long)PAGE && distance < 4 * (long)PAGE;
    siglongjmp(back, 1);
  }
  raise(SIGUSR2);
}

static NOINLINE int recurse(int depth) {
  volatile char frame[1000];
  frame[0] = (char)depth;
  deepest = (uintptr_t)frame;
  return depth < 0 ? 0 : recurse(depth + 1) + frame[0];
}

int main(void) {
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack}, old;
  sigaltstack(&alternate, &old);
  printf("before: %s\n", old.ss_flags == SS_DISABLE ? "disabled" : "enabled");
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGUSR1, &action, 0);
  sigaction(SIGSEGV, &action, 0);
  struct sigaction second = {.sa_handler = nested, .sa_flags = SA_ONSTACK};
  sigaction(SIGUSR2, &second, 0);
  raise(SIGUSR1);
  printf("on it: %d, flags %d, nested %d\n", on_stack, flags_inside, nested_on_stack);
  sigaltstack(0, &old);
  printf("after: flags %d, same %d\n", old.ss_flags, old.ss_sp == stack);
  struct rlimit limit = {1 << 20, RLIM_INFINITY};
  getrlimit(RLIMIT_STACK, &limit);
  limit.rlim_cur = 1 << 20;
  setrlimit(RLIMIT_STACK, &limit);
  const uintptr_t top = (uintptr_t)&limit;
  if (!sigsetjmp(back, 1)) recurse(0);
  const uintptr_t used = top - deepest;
  printf("overflow: code %d, near %d, on it %d, after %s\n", overflow_code, overflow_near, on_stack,
         used > (1 << 20) - 16 * PAGE && used < (1 << 20) + PAGE ? "1 MiB" : "another size");
  stack_t small = {.ss_sp = stack, .ss_size = 100};
  printf("too small: %s\n", sigaltstack(&small, 0) ? "refused" : "accepted");
  stack_t off = {.ss_flags = SS_DISABLE};
  sigaltstack(&off, 0);
  on_stack = 7;
  raise(SIGUSR1);
  printf("disabled: on it %d\n", on_stack);
  return 0;
}
