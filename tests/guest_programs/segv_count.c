/* Rule A3: a fault that ends in a signal is not counted; after the handler's repair the retried access counts one if
 * the page is absent and none if it is present. The handler runs on a stack that is there already. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include "support/guest.h"

static char* area;
static int to_prot, signals;

static void repair(int sig, siginfo_t* info, void* context) {
  (void)sig;
  (void)context;
  ++signals;
  mprotect((void*)((uintptr_t)info->si_addr & -PAGE), PAGE, to_prot);
}

int main(void) {
  static char handler_stack[16 * PAGE];
  phases_begin();
  stack_t alternate = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
  sigaltstack(&alternate, 0);
  struct sigaction action = {.sa_sigaction = repair, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGSEGV, &action, 0);
  const int rw = PROT_READ | PROT_WRITE;
  area = mmap(0, 256 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  to_prot = rw;
  PHASE("absent_write", write_pages(area, 0, 64));
  PHASE("present_write", write_pages(area, 0, 64));
  mprotect(area, 64 * PAGE, PROT_READ);
  PHASE("present_repaired_write", write_pages(area, 0, 64));
  mprotect(area, 64 * PAGE, PROT_NONE);
  to_prot = PROT_READ;
  PHASE("present_repaired_read", read_pages(area, 0, 64));
  PHASE("absent_repaired_read", read_pages(area, 64, 128));
  to_prot = rw;
  PHASE("zero_page_repaired_write", write_pages(area, 64, 128));
  PHASE("absent_rmw", for (int i = 128; i < 160; ++i) __asm__ volatile("incl (%0)"
                                                                       :
                                                                       : "r"(area + i * PAGE)
                                                                       : "memory"));
  char line[16], *out = put_number(line, signals);
  *out++ = '\n';
  *out = 0;
  put("signals ");
  put(line);
  return phases_print();
}
