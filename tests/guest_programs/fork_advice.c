/* MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK, MADV_KEEPONFORK, and what madvise gives up on one side only. */
#include "support/processes.h"

enum { kPages = 16, kWipeOnFork = 18, kKeepOnFork = 19 };
static volatile int faulted;

static void on_fault(int number) {
  (void)number;
  faulted = 1;
  phases_print();
  raw3(kSysExit, 9, 0, 0);
}

int main(void) {
  phases_begin();
  char *absent = map_apart(kPages), *wiped = map_apart(kPages), *kept = map_apart(kPages), *dropped = map_apart(kPages);
  write_pages(absent, 0, kPages);
  write_pages(wiped, 0, kPages);
  write_pages(kept, 0, kPages);
  write_pages(dropped, 0, kPages);
  int failed = madvise(absent, kPages * PAGE, MADV_DONTFORK) | madvise(wiped, kPages * PAGE, kWipeOnFork) |
               madvise(kept, kPages * PAGE, kWipeOnFork) | madvise(kept, kPages * PAGE, kKeepOnFork);
  CHILD("child", PHASE("wiped_read", read_pages(wiped, 0, kPages)); put_line("wiped byte", wiped[5 * PAGE]);
        PHASE("wiped_write", write_pages(wiped, 0, kPages)); PHASE("kept_read", read_pages(kept, 0, kPages));
        put_line("kept byte", kept[5 * PAGE]); signal(SIGSEGV, on_fault);
        PHASE("absent", read_pages(absent, 0, kPages)));
  PHASE("absent_write", write_pages(absent, 0, kPages));
  PHASE("wiped_write", write_pages(wiped, 0, kPages));
  PHASE("kept_write", write_pages(kept, 0, kPages));

  /* Part of an area; the child of a child is wiped as well. */
  failed |= madvise(absent, kPages * PAGE, MADV_DOFORK) | madvise(absent, kPages / 2 * PAGE, MADV_DONTFORK);
  if (child_does("child with half")) {
    PHASE("half_read", read_pages(absent, kPages / 2, kPages));
    write_pages(wiped, 0, kPages);
    CHILD("grandchild", PHASE("wiped_again", read_pages(wiped, 0, kPages)));
    signal(SIGSEGV, on_fault);
    PHASE("other_half", read_pages(absent, 0, kPages / 2));
    child_ends();
  }

  /* DONTNEED on one side: zeroes there, the pages stay on the other side. */
  CHILD("child drops", failed |= madvise(dropped, kPages * PAGE, MADV_DONTNEED);
        PHASE("dropped_read", read_pages(dropped, 0, kPages)); put_line("dropped byte", dropped[5 * PAGE]);
        PHASE("dropped_write", write_pages(dropped, 0, kPages)));
  PHASE("still_there", read_pages(dropped, 0, kPages));
  put_line("parent's byte", dropped[5 * PAGE]);
  PHASE("still_there_write", write_pages(dropped, 0, kPages));
  CHILD("child of a dropping parent", PHASE("inherited", read_pages(dropped, 0, kPages)));
  failed |= madvise(dropped, kPages * PAGE, MADV_DONTNEED);
  CHILD("child after it", PHASE("nothing_left", read_pages(dropped, 0, kPages)));
  if (failed) put("a call failed\n");
  return phases_print();
}
