/* J: MREMAP_DONTUNMAP of written, of read and of file pages: the entries go along, the old place is as new. */
#define _GNU_SOURCE
#include "support/data_file.h"

enum { kDontUnmap = 4 };

static char* move(char* from, char* to, unsigned pages) {
  return mremap(from, pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | kDontUnmap, to);
}

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDONLY);
  const int rw = PROT_READ | PROT_WRITE;
  char *base = reserve_aligned(8), *p, *q;
  p = mmap(base, 16 * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  write_pages(p, 0, 8);
  read_pages(p, 8, 16);
  q = move(p, base + 64 * PAGE, 16);
  read_pages(q, 0, 16);
  write_pages(q, 0, 16);
  read_pages(p, 0, 16);
  write_pages(p, 0, 16);
  q = move(p + 4 * PAGE, base + 128 * PAGE, 4);
  write_pages(q, 0, 4);
  write_pages(p, 0, 16);
  p = mmap(base + 160 * PAGE, 32 * PAGE, rw, MAP_PRIVATE | MAP_FIXED, fd, 0);
  read_pages(p, 0, 32);
  write_pages(p, 0, 8);
  q = move(p, base + 224 * PAGE, 32);
  read_pages(q, 0, 32);
  read_pages(p, 0, 32);
  p = mmap(base + 320 * PAGE, 16 * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  write_pages(p, 0, 16);
  q = move(p, base + 384 * PAGE, 16);
  write_pages(q, 0, 16);
  read_pages(p, 0, 16);
  put(q == base + 384 * PAGE ? "done\n" : "wrong\n");
  return 0;
}
