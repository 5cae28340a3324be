/* G1, E: memory files: written by write() and mapped, sparse, shared and private, sealed by truncation. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>
#include "support/data_file.h"

int main(void) {
  const int rw = PROT_READ | PROT_WRITE;
  const int fd = (int)raw3(356, (long)"file", 0, 0); /* memfd_create */
  if (fd < 0 || ftruncate(fd, 64 * PAGE)) return 1;
  static char text[PAGE];
  for (unsigned i = 0; i < 20; ++i) {
    if (pwrite(fd, text, PAGE, i * PAGE) != PAGE) return 2;
  }
  char* base = reserve_aligned(8);
  char* p = mmap(base, 64 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
  read_pages(p, 0, 40);
  p = mmap(base + 64 * PAGE, 64 * PAGE, rw, MAP_SHARED | MAP_FIXED, fd, 0);
  read_pages(p, 0, 48);
  write_pages(p, 0, 64);
  p = mmap(base + 128 * PAGE, 64 * PAGE, rw, MAP_PRIVATE | MAP_FIXED, fd, 0);
  read_pages(p, 0, 64);
  write_pages(p, 0, 64);
  madvise(p, 64 * PAGE, MADV_DONTNEED);
  write_pages(p, 0, 8);
  if (ftruncate(fd, 8 * PAGE) || ftruncate(fd, 64 * PAGE)) return 3;
  read_pages(base + 64 * PAGE, 0, 64);
  read_pages(p, 0, 16);
  put("done\n");
  return 0;
}
