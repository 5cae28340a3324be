/* F1, G1: /dev/zero: mapped privately it is anonymous memory that merges with no other, mapped shared each mapping is shared
 * memory of its own, also the two of one descriptor; a child shares it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include "support/processes.h"

enum { kPages = 24 };

int main(void) {
  phases_begin();
  const int fd = open("/dev/zero", O_RDWR), second = dup(fd);
  char* p = mmap(0, kPages * PAGE, RW, MAP_PRIVATE, fd, 0);
  PHASE("private_read", read_pages(p, 0, 16));
  PHASE("private_write", write_pages(p, 8, kPages));
  char* s = mmap(0, kPages * PAGE, RW, MAP_SHARED, fd, 0);
  char* t = mmap(0, kPages * PAGE, RW, MAP_SHARED, second, 0);
  close(fd);
  PHASE("shared_write", write_pages(s, 0, 16));
  PHASE("other_read", read_pages(t, 0, 16));
  put_line("the other holds", read_byte(t + 3 * PAGE));
  madvise(s, kPages * PAGE, MADV_DONTNEED);
  PHASE("shared_again", read_pages(s, 0, kPages));
  CHILD("child", PHASE("private", write_pages(p, 0, kPages)); PHASE("shared", write_pages(s, 0, kPages));
        s[5 * PAGE] = 50);
  put_line("parent sees", read_byte(s + 5 * PAGE));
  PHASE("private_after", write_pages(p, 0, kPages));
  char* populated = mmap(0, kPages * PAGE, PROT_READ, MAP_PRIVATE | MAP_POPULATE, second, 0);
  PHASE("populated", read_pages(populated, 0, kPages));
  PHASE("made_writable", mprotect(populated, kPages * PAGE, RW); write_pages(populated, 0, kPages));
  char* moved = mremap(p, kPages * PAGE, 2 * kPages * PAGE, MREMAP_MAYMOVE);
  PHASE("longer", write_pages(moved, 0, 2 * kPages));
  return phases_print();
}
