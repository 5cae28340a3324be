/* Section J, the row "after a fork": a page that was shared once does not become writable by mprotect, even if the child has
 * ended: one fault for each page, as long as nobody has written it since. */
#include "support/processes.h"

enum { kPages = 16 };

static char* fresh(void) {
  char* p = map_apart(kPages);
  write_pages(p, 0, kPages);
  return p;
}

int main(void) {
  phases_begin();
  char* p = fresh();
  CHILD("child that does nothing", );
  PHASE("to_ro", mprotect(p, kPages * PAGE, PROT_READ));
  PHASE("to_rw", mprotect(p, kPages * PAGE, RW));
  PHASE("write", write_pages(p, 0, kPages));
  /* Now they are its own again. */
  mprotect(p, kPages * PAGE, PROT_READ);
  mprotect(p, kPages * PAGE, RW);
  PHASE("write_own", write_pages(p, 0, kPages));

  p = fresh();
  mprotect(p, kPages * PAGE, PROT_READ);
  CHILD("child of a read-only area", PHASE("read", read_pages(p, 0, kPages));
        PHASE("child_to_rw", mprotect(p, kPages * PAGE, RW)); PHASE("child_write", write_pages(p, 0, kPages)));
  PHASE("parent_to_rw", mprotect(p, kPages * PAGE, RW));
  PHASE("parent_write", write_pages(p, 0, kPages));

  p = fresh();
  mprotect(p, kPages * PAGE, PROT_NONE);
  CHILD("child of a closed area", mprotect(p, kPages * PAGE, RW); PHASE("closed_read", read_pages(p, 0, kPages));
        PHASE("closed_write", write_pages(p, 0, kPages)));
  mprotect(p, kPages * PAGE, RW);
  PHASE("closed_parent_write", write_pages(p, 0, kPages));

  /* Half was written since the fork. */
  p = fresh();
  CHILD("another child", );
  PHASE("half", write_pages(p, 0, kPages / 2));
  mprotect(p, kPages * PAGE, PROT_READ);
  mprotect(p, kPages * PAGE, RW);
  PHASE("all", write_pages(p, 0, kPages));

  /* In the child, while the parent lives; then rights for part of the area. */
  p = fresh();
  CHILD("child changes a part", PHASE("part_to_ro", mprotect(p + 4 * PAGE, 4 * PAGE, PROT_READ));
        PHASE("rest_write", write_pages(p, 0, 4); write_pages(p, 8, kPages));
        PHASE("part_to_rw", mprotect(p + 4 * PAGE, 4 * PAGE, RW)); PHASE("all_write", write_pages(p, 0, kPages)));
  PHASE("parent_all", write_pages(p, 0, kPages));
  /* Zero pages and pages that were never there. */
  p = map_apart(kPages);
  read_pages(p, 0, kPages / 2);
  write_byte(p + (kPages - 1) * PAGE, 1);
  CHILD("child with zero pages", mprotect(p, kPages * PAGE, PROT_READ); mprotect(p, kPages * PAGE, RW);
        PHASE("zero_read", read_pages(p, 0, kPages)); PHASE("zero_write", write_pages(p, 0, kPages)));
  return phases_print();
}
