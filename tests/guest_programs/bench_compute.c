/* Integer compute: n-queens (argument board, 11), then a sieve of 4 MiB (argument rounds, 5). Prints a checksum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned solve(unsigned all, unsigned columns, unsigned left, unsigned right) {
  if (columns == all) return 1;
  unsigned count = 0;
  for (unsigned free = all & ~(columns | left | right); free; free &= free - 1) {
    const unsigned bit = free & -free;
    count += solve(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
  }
  return count;
}

static unsigned char composite[4 << 20];
static unsigned sieve(void) {
  memset(composite, 0, sizeof composite);
  unsigned primes = 0;
  for (unsigned i = 2; i < sizeof composite; ++i) {
    if (composite[i]) continue;
    ++primes;
    for (unsigned long long j = (unsigned long long)i * i; j < sizeof composite; j += i) composite[j] = 1;
  }
  return primes;
}

int main(int argc, char** argv) {
  const unsigned board = argc > 1 ? strtoul(argv[1], 0, 10) : 11, rounds = argc > 2 ? strtoul(argv[2], 0, 10) : 5;
  unsigned sum = board ? solve((1u << board) - 1, 0, 0, 0) : 0;
  for (unsigned i = 0; i < rounds; ++i) sum = sum * 31 + sieve();
  printf("%08x\n", sum);
  return 0;
}
