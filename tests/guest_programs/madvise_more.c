/* J: advice that changes no fault (NORMAL, SEQUENTIAL, RANDOM, WILLNEED, COLD, MERGEABLE), MADV_REMOVE of shared
 * memory, and advice for ranges with holes. */
#define _GNU_SOURCE
#include "support/data_file.h"

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDONLY);
  const int rw = PROT_READ | PROT_WRITE;
  char *base = reserve_aligned(8), *p;
  for (int advice = 0; advice < 4; ++advice) {
    p = mmap(base, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
    madvise(p, 64 * PAGE, advice);
    read_pages(p, 0, 64);
  }
  p = mmap(base + 64 * PAGE, 16 * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  write_pages(p, 0, 16);
  int failed = madvise(p + 4 * PAGE, 8 * PAGE, MADV_REMOVE);
  read_pages(p, 0, 16);
  failed |= read_byte(p + 5 * PAGE) != 0;
  p = mmap(base + 128 * PAGE, 16 * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  write_pages(p, 0, 16);
  madvise(p, 16 * PAGE, 20); /* MADV_COLD */
  write_pages(p, 0, 16);
  munmap(p + 4 * PAGE, 4 * PAGE);
  failed |= madvise(p, 16 * PAGE, MADV_DONTNEED) != -1; /* ENOMEM, but done on both sides of the hole */
  write_pages(p, 0, 4);
  write_pages(p, 8, 16);
  failed |= madvise(p + 1, PAGE, MADV_DONTNEED) != -1;
  put(failed ? "wrong\n" : "done\n");
  return 0;
}
