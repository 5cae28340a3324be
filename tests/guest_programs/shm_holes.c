/* G1, D3: pages of a tmpfs that nobody has made, and how they come to be: read() makes none, write() does, fallocate()
 * makes them without contents, so that each still takes a fault of its own. mincore says which are there. */
#include "support/shared_files.h"

enum { kSysMincore = 218, kPages = 128 };
static unsigned char there[kPages];
static char text[4 * PAGE];

static void resident(char* p) {
  char line[kPages + 2];
  raw3(kSysMincore, (long)p, kPages * PAGE, (long)there);
  for (unsigned i = 0; i < kPages; ++i) line[i] = there[i] & 1 ? '#' : '.';
  line[kPages] = '\n';
  line[kPages + 1] = 0;
  put(line);
}

int main(void) {
  const int fd = shm_file(kPages);
  char* base = reserve_aligned(8);
  char* p = SHARED_RW(base, kPages, fd, 0);
  int failed = pread(fd, text, sizeof text, 0) != sizeof text;
  resident(p);
  read_pages(p, 0, 4);
  failed |= pwrite(fd, text, sizeof text, 8 * PAGE) != sizeof text || pwrite(fd, "x", 1, 14 * PAGE) != 1;
  resident(p);
  read_pages(p, 8, 18);
  failed |= fallocate_pages(fd, 0, 32, 32);
  resident(p);
  failed |= pread(fd, text, sizeof text, 34 * PAGE) != sizeof text;
  resident(p);
  read_pages(p, 32, 40);
  resident(p);
  write_pages(p, 44, 48);
  failed |= pwrite(fd, text, sizeof text, 52 * PAGE) != sizeof text;
  resident(p);
  read_pages(p, 40, 64);
  char* q = PRIVATE_RW(base + 256 * PAGE, kPages, fd, 0);
  write_pages(q, 20, 24);
  read_pages(q, 16, 64);
  resident(q);
  failed |= fallocate_pages(fd, 0, 96, 16);
  write_pages(q, 96, 100);
  read_pages(p, 96, 112);
  resident(p);
  put(failed ? "a call failed\n" : "done\n");
  return 0;
}
