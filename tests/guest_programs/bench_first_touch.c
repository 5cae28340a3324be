/* First touch of anonymous memory: argument MiB (256), rounds (1). Prints a checksum. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

int main(int argc, char** argv) {
  const unsigned long size = (argc > 1 ? strtoul(argv[1], 0, 10) : 256) << 20;
  const int rounds = argc > 2 ? atoi(argv[2]) : 1;
  unsigned sum = 0;
  for (int r = 0; r < rounds; ++r) {
    volatile char* p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return 1;
    for (unsigned long i = 0; i < size; i += 4096) p[i] = (char)(i >> 12);
    for (unsigned long i = 0; i < size; i += 4096 * 64) sum = sum * 31 + (unsigned char)p[i];
    munmap((void*)p, size);
  }
  printf("%08x\n", sum);
  return 0;
}
