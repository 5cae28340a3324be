/* Runs until it is stopped (for Ctrl-C and timeouts), touching memory and making system calls now and then; with an
 * argument, ends after that many rounds. Says "running" first. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "support/guest.h"

int main(int argc, char** argv) {
  const unsigned long rounds = argc > 1 ? strtoul(argv[1], 0, 10) : 0;
  put("running\n");
  volatile unsigned x = 1;
  for (unsigned long r = 0; !rounds || r < rounds; ++r) {
    for (int i = 0; i < 100000; ++i) x = x * 1664525u + 1013904223u;
    char* p = mmap(0, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    write_pages(p, 0, 16);
    munmap(p, 16 * PAGE);
  }
  printf("%08x\n", x);
  return 0;
}
