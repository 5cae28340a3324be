/* Ends by the signal that the argument names, with nothing handled; the tests look at the wait status. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int zero, one = 1;

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  printf("dying by %s\n", how);
  fflush(stdout);
  if (!strcmp(how, "null")) *(volatile int*)16 = 1;
  if (!strcmp(how, "jump")) ((void (*)(void))0xc0000000u)();
  if (!strcmp(how, "divide")) return one / zero;
  if (!strcmp(how, "ud2")) __asm__ volatile("ud2");
  if (!strcmp(how, "int3")) __asm__ volatile("int3");
  if (!strcmp(how, "abort")) abort();
  if (!strcmp(how, "kill")) kill(getpid(), SIGKILL);
  if (!strcmp(how, "term")) kill(getpid(), SIGTERM);
  if (!strcmp(how, "text")) *(volatile char*)(unsigned long)main = 0;
  if (!strcmp(how, "stack")) __asm__ volatile("movl $0x1000, %esp\n\tpushl %eax");
  if (!strcmp(how, "blocked")) { /* a fault while its signal is blocked kills all the same */
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, 0);
    *(volatile int*)16 = 1;
  }
  if (!strcmp(how, "bus")) { /* behind the end of a file */
    FILE* self = fopen("/proc/self/exe", "rb");
    fseek(self, 0, SEEK_END);
    const unsigned long size = (unsigned long)ftell(self);
    const unsigned long past = (size + 4095) & -4096ul;
    char* p = mmap(0, past + 4096, PROT_READ, MAP_PRIVATE, fileno(self), 0);
    printf("last byte %d\n", p[past - 1]);
    fflush(stdout);
    return *(volatile char*)(p + past);
  }
  if (!strcmp(how, "exit")) return 42;
  if (!strcmp(how, "exit256")) _exit(256 + 7);
  return 1;
}
