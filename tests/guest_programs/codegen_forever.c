/* Generates and runs new code without end (argument: number of functions, 0 = for ever), always in the same 1 MiB or,
 * with a second argument "fresh", in new mappings. An emulator's translation cache must stay bounded. Prints a
 * checksum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "support/guest.h"

int main(int argc, char** argv) {
  const unsigned long count = argc > 1 ? strtoul(argv[1], 0, 10) : 0;
  const int fresh = argc > 2 && !strcmp(argv[2], "fresh");
  enum { kSize = 1 << 20, kStub = 64 };
  char* area = 0;
  unsigned at = kSize, sum = 0, wrong = 0;
  for (unsigned long i = 0; !count || i < count; ++i) {
    if (at + kStub > kSize) {
      if (fresh && area) munmap(area, kSize);
      if (fresh || !area) area = mmap(0, kSize, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      at = 0;
    }
    char* p = area + at;
    at += kStub;
    const unsigned value = (unsigned)i * 2654435761u;
    p[0] = (char)0xb8; /* movl $value, %eax; nine times addl $1, %eax; ret */
    memcpy(p + 1, &value, 4);
    for (int j = 0; j < 9; ++j) memcpy(p + 5 + 3 * j, "\x83\xc0\x01", 3);
    p[32] = (char)0xc3;
    const unsigned result = ((unsigned (*)(void))p)();
    wrong += result != value + 9;
    sum = sum * 31 + result;
  }
  printf("%08x %u\n", sum, wrong);
  return 0;
}
