/* I3: where signal frames fault: on a stack that has just enough touched pages, on a fresh alternate stack, nested,
 * with and without SA_SIGINFO; and that the second signal at the same depth faults no more. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include "support/guest.h"

static volatile int handled;
static void plain(int signal) {
  (void)signal;
  ++handled;
}
static void with_info(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)info, (void)context;
  ++handled;
}
static void nested(int signal) {
  (void)signal;
  ++handled;
  raise(SIGUSR1);
}

static void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(signal, &action, 0);
}

static NOINLINE void deep(int pages) {
  char room[PAGE];
  write_byte(room, 1);
  if (pages > 0) deep(pages - 1);
  __asm__ volatile("" : : "r"(room) : "memory");
}

int main(void) {
  handle(SIGUSR1, plain, 0);
  handle(SIGUSR2, (void (*)(int))(void*)with_info, SA_SIGINFO);
  handle(SIGHUP, nested, SA_ONSTACK);
  raise(SIGUSR1);
  raise(SIGUSR1);
  raise(SIGUSR2);
  deep(3);
  raise(SIGUSR2);
  char* stack = mmap(0, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (unsigned top = 4; top <= 16; top += 4) {
    const stack_t alt = {.ss_sp = stack, .ss_flags = 0, .ss_size = top * PAGE + (top - 4) * 64};
    sigaltstack(&alt, 0);
    raise(SIGHUP);
    raise(SIGHUP);
    if (top == 12) break;
  }
  put(handled == 16 ? "sixteen\n" : "wrong\n");
  return 0;
}
