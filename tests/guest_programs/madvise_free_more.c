/* F3, J: MADV_FREE leaves the pages, but clean: no fault, until mprotect takes the right to write and gives it back, which
 * older kernels then do page by page, at faults. Shared with a child, read only before, and what it refuses. */
#include "support/processes.h"

enum { kPages = 16 };

int main(void) {
  phases_begin();
  char *plain = map_apart(kPages), *again = map_apart(kPages), *zero = map_apart(kPages), *forked = map_apart(kPages);
  int failed = 0;
  write_pages(plain, 0, kPages);
  failed |= madvise(plain, kPages * PAGE, MADV_FREE);
  PHASE("half_written", write_pages(plain, 0, kPages / 2));
  failed |= mprotect(plain, kPages * PAGE, PROT_READ);
  PHASE("read_only", read_pages(plain, 0, kPages));
  failed |= mprotect(plain, kPages * PAGE, RW);
  PHASE("writable_again", write_pages(plain, 0, kPages));
  write_pages(again, 0, kPages);
  failed |= madvise(again, kPages * PAGE, MADV_FREE) | mprotect(again, kPages * PAGE, PROT_NONE);
  failed |= mprotect(again, kPages * PAGE, RW);
  PHASE("read", read_pages(again, 0, kPages));
  PHASE("written", write_pages(again, 0, kPages));
  failed |= madvise(again, kPages * PAGE, MADV_FREE) | madvise(again, kPages * PAGE, MADV_DONTNEED);
  PHASE("dropped", read_pages(again, 0, kPages));
  read_pages(zero, 0, kPages);
  failed |= madvise(zero, kPages * PAGE, MADV_FREE);
  PHASE("zero_read", read_pages(zero, 0, kPages));
  PHASE("zero_write", write_pages(zero, 0, kPages));
  write_pages(forked, 0, kPages);
  failed |= madvise(forked, 4 * PAGE, MADV_FREE);
  CHILD("child", failed |= madvise(forked, 8 * PAGE, MADV_FREE); PHASE("read", read_pages(forked, 0, kPages));
        PHASE("write", write_pages(forked, 0, kPages)); if (failed) put("a call failed\n"));
  PHASE("parent", write_pages(forked, 0, kPages));
  char* shared = mmap(0, kPages * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  write_pages(shared, 0, kPages);
  failed |= madvise(shared, kPages * PAGE, MADV_FREE) == 0;
  failed |= mlock(forked, kPages * PAGE) || madvise(forked, kPages * PAGE, MADV_FREE) == 0;
  if (failed) put("a call failed\n");
  return phases_print();
}
