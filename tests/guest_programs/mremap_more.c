/* J: mremap over another mapping, into a smaller place, MREMAP_DONTUNMAP, duplicates of a shared mapping (old size 0),
 * moves of part of an area. */
#define _GNU_SOURCE
#include "support/data_file.h"

enum { kDontUnmap = 4 };

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDONLY);
  const int anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, rw = PROT_READ | PROT_WRITE;
  char *base = reserve_aligned(8), *p, *q;
  p = mmap(base, 16 * PAGE, rw, anon, -1, 0);
  q = mmap(base + 32 * PAGE, 16 * PAGE, rw, anon, -1, 0);
  write_pages(p, 0, 12);
  write_pages(q, 0, 16);
  q = mremap(p, 16 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q);
  write_pages(q, 0, 16);
  q = mremap(q + 4 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 64 * PAGE);
  write_pages(q, 0, 4);
  p = mmap(base + 96 * PAGE, 16 * PAGE, rw, anon, -1, 0);
  write_pages(p, 0, 16);
  q = mremap(p, 16 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | kDontUnmap, 0);
  write_pages(q, 0, 16);
  read_pages(p, 0, 16);
  p = mmap(base + 128 * PAGE, 16 * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  write_pages(p, 0, 8);
  q = mremap(p, 0, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 160 * PAGE);
  read_pages(q, 0, 16);
  write_pages(p, 0, 16);
  p = mmap(base + 192 * PAGE, 32 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  read_pages(p, 0, 20);
  q = mremap(p, 32 * PAGE, 24 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 245 * PAGE);
  read_pages(q, 0, 24);
  put(q == base + 245 * PAGE ? "done\n" : "wrong\n");
  return 0;
}
