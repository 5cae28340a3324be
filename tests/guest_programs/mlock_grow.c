/* J, F2: locked areas that grow: mremap and brk of a locked area populate the new part; a locked stack; mprotect of a
 * locked area from read-only to writable copies at once. */
#define _GNU_SOURCE
#include "support/data_file.h"

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDONLY);
  const int anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, rw = PROT_READ | PROT_WRITE;
  char *base = reserve_aligned(8), *p;
  int failed = 0;
  p = mmap(base, 8 * PAGE, rw, anon, -1, 0);
  failed |= mlock(p, 8 * PAGE);
  p = mremap(p, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
  write_pages(p, 0, 16);
  p = mmap(base + 32 * PAGE, 8 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  failed |= mlock(p, 8 * PAGE);
  failed |= mprotect(p, 8 * PAGE, rw);
  write_pages(p, 0, 8);
  p = mmap(base + 48 * PAGE, 8 * PAGE, PROT_NONE, anon, -1, 0);
  failed |= mlock(p, 8 * PAGE) == 0; /* ENOMEM: nothing may be read */
  failed |= mprotect(p, 8 * PAGE, rw);
  write_pages(p, 0, 8);
  p = mmap(base + 64 * PAGE, 8 * PAGE, rw, anon | MAP_LOCKED, -1, 0);
  write_pages(p, 0, 8);
  madvise(p, 4 * PAGE, MADV_DONTNEED); /* EINVAL: locked */
  write_pages(p, 0, 8);
  madvise(p, 4 * PAGE, 24); /* MADV_DONTNEED_LOCKED */
  write_pages(p, 0, 8);
  munlockall();
  put(failed ? "a call failed\n" : "done\n");
  return 0;
}
