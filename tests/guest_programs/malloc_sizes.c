/* F, N4: malloc, calloc, realloc and free from small to large, as the libc places them: heap by brk, large blocks by
 * mmap, growth by mremap, and the heap given back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  char* blocks[64];
  unsigned long sum = 0;
  for (int i = 0; i < 64; ++i) {
    const size_t size = (size_t)16 << (i % 15);
    blocks[i] = malloc(size);
    memset(blocks[i], i, size / 2 + 1);
  }
  for (int i = 0; i < 64; i += 2) free(blocks[i]);
  for (int i = 0; i < 64; i += 2) {
    blocks[i] = calloc(100, (size_t)(i + 1) * 8);
    sum += (unsigned char)blocks[i][i];
  }
  for (int i = 0; i < 64; i += 3) {
    blocks[i] = realloc(blocks[i], (size_t)(i + 1) * 10000);
    blocks[i][i * 10000] = 1;
  }
  for (int i = 0; i < 64; ++i) free(blocks[i]);
  char* large = malloc(3 << 20);
  for (int i = 0; i < 3 << 20; i += 5000) large[i] = 1;
  large = realloc(large, 5 << 20);
  large[(5 << 20) - 1] = 1;
  sum += (unsigned char)large[5000];
  free(large);
  printf("%lu\n", sum);
  return 0;
}
