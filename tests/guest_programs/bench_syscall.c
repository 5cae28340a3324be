/* System calls: argument count (1000000) of getppid, through libc's own way (the vDSO), or with a second argument
 * "int80" by int $0x80, which is much slower on a real machine. Prints how many gave the same answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "support/guest.h"

int main(int argc, char** argv) {
  const unsigned count = argc > 1 ? strtoul(argv[1], 0, 10) : 1000000;
  const int int80 = argc > 2 && !strcmp(argv[2], "int80");
  const long first = getppid();
  unsigned same = 0;
  for (unsigned i = 0; i < count; ++i) {
    long result;
    if (int80)
      __asm__ volatile("int $0x80" : "=a"(result) : "0"(64) : "memory");
    else
      result = getppid();
    same += result == first;
  }
  printf("%u\n", same);
  return 0;
}
