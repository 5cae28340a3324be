/* G1, E1, H1: a memory file, mapped shared and private, and a fork: the private area has pages of its own and so is copied
 * with all its entries, also those of the file's pages; the shared one is not. */
#include "support/processes.h"
#include "support/shared_files.h"

enum { kPages = 32 };

int main(void) {
  phases_begin();
  const int fd = memory_file(kPages);
  char* base = reserve_aligned(8);
  char* s = SHARED_RW(base, kPages, fd, 0);
  char* p = PRIVATE_RW(base + 64 * PAGE, kPages, fd, 0);
  char* clean = PRIVATE_RW(base + 128 * PAGE, kPages, fd, 0);
  write_pages(s, 0, 24);
  read_pages(p, 0, 28);
  write_pages(p, 4, 8);
  read_pages(clean, 0, 24);
  if (child_does("child")) {
    PHASE("shared_read", read_pages(s, 0, kPages));
    PHASE("private_read", read_pages(p, 0, kPages));
    PHASE("clean_read", read_pages(clean, 0, kPages));
    PHASE("private_write", write_pages(p, 0, 16));
    s[20 * PAGE] = 99;
    s[2 * PAGE] = 98;
    PHASE("dropped", madvise(p, kPages * PAGE, MADV_DONTNEED); read_pages(p, 0, kPages));
    CHILD("grandchild", PHASE("private_read", read_pages(p, 0, kPages)); PHASE("shared_write", write_pages(s, 8, 12)));
    child_ends();
  }
  put_line("shared page seen in the private area", read_byte(p + 20 * PAGE));
  put_line("and below a copy", read_byte(p + 5 * PAGE));
  PHASE("private_write", write_pages(p, 0, kPages));
  PHASE("clean_write", write_pages(clean, 0, 8));
  CHILD("child of a written area", PHASE("clean_read", read_pages(clean, 0, kPages));
        PHASE("clean_write", write_pages(clean, 0, 16)); PHASE("unmapped", munmap(s, kPages * PAGE));
        PHASE("private_read", read_pages(p, 0, kPages)));
  PHASE("shared_write", write_pages(s, 0, kPages));
  PHASE("clean_write", write_pages(clean, 0, kPages));
  return phases_print();
}
