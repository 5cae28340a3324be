/* Memory over 64 MiB: "stream" adds arrays in order, "random" follows a linear congruential walk over 4-byte words,
 * both argument rounds (stream 10, random 1 = 16 Mi accesses). Prints a checksum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kWords = 16 << 20 };
static unsigned words[kWords];

int main(int argc, char** argv) {
  const int random = argc > 1 && strcmp(argv[1], "random") == 0;
  const int rounds = argc > 2 ? atoi(argv[2]) : random ? 1 : 10;
  for (unsigned i = 0; i < kWords; ++i) words[i] = i * 2654435761u;
  unsigned sum = 0, at = 1;
  for (int r = 0; r < rounds; ++r) {
    if (random) {
      for (unsigned i = 0; i < kWords; ++i) {
        at = (at * 1664525u + 1013904223u) & (kWords - 1);
        sum += words[at];
        words[at] = sum;
      }
    } else {
      for (unsigned i = 0; i < kWords / 2; ++i) words[i] += words[i + kWords / 2] * 3;
      sum = sum * 31 + words[r * 4099];
    }
  }
  printf("%08x\n", sum);
  return 0;
}
