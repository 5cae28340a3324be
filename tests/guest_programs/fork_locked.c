/* Locked memory and a fork: locks are not inherited, locked pages are shared and copied like others; mlock, MAP_POPULATE and
 * MADV_POPULATE_WRITE of pages that are shared since a fork break the sharing by get_user_pages. 16 pages each. */
#include "support/processes.h"

enum { kPages = 16, kPopulateRead = 22, kPopulateWrite = 23 };

static char* fresh(void) {
  char* p = map_apart(kPages);
  write_pages(p, 0, kPages);
  return p;
}

int main(void) {
  phases_begin();
  char *locked = fresh(), *later = fresh(), *populated = fresh(), *looked_at = fresh(), *closed = fresh();
  int failed = mlock(locked, kPages * PAGE);
  mprotect(closed, kPages * PAGE, PROT_READ);
  CHILD("child", PHASE("locked_read", read_pages(locked, 0, kPages));
        PHASE("locked_write", write_pages(locked, 0, kPages)); PHASE("mlock", failed |= mlock(later, kPages * PAGE));
        PHASE("mlock_write", write_pages(later, 0, kPages));
        PHASE("mlock_read_only", failed |= mlock(closed, kPages * PAGE)); mprotect(closed, kPages * PAGE, RW);
        PHASE("mlock_read_only_write", write_pages(closed, 0, kPages));
        PHASE("populate_write", failed |= madvise(populated, kPages * PAGE, kPopulateWrite));
        PHASE("populate_write_write", write_pages(populated, 0, kPages));
        PHASE("populate_read", failed |= madvise(looked_at, kPages * PAGE, kPopulateRead));
        PHASE("populate_read_write", write_pages(looked_at, 0, kPages));
        PHASE("munlock", failed |= munlock(later, kPages * PAGE)); if (failed) put("a call failed\n"));
  PHASE("locked_write", write_pages(locked, 0, kPages));
  PHASE("mlock", failed |= mlock(later, kPages * PAGE));
  PHASE("mlock_write", write_pages(later, 0, kPages));
  failed |= munlock(later, kPages * PAGE);

  /* MCL_FUTURE is the parent's own. */
  failed |= mlockall(MCL_FUTURE);
  CHILD("child of mlockall", char* p; PHASE("mmap", p = map_apart(kPages)); PHASE("write", write_pages(p, 0, kPages)));
  char* p;
  PHASE("mmap", p = map_apart(kPages));
  PHASE("write", write_pages(p, 0, kPages));
  failed |= munlockall();
  if (failed) put("a call failed\n");
  return phases_print();
}
