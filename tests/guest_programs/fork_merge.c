/* H2: an area is copied whole or not at all, so one written page decides for all that merged with it; and an area that was
 * split off keeps the anon_vma of the whole. */
#include "support/processes.h"

enum { kPages = 64 };

/* Whether [p, p + pages) is one area: only then can it grow. */
static void report(const char* name, char* p, unsigned pages) {
  char* moved = mremap(p, pages * PAGE, (pages + 1) * PAGE, MREMAP_MAYMOVE);
  put(name);
  put(moved == MAP_FAILED ? ": separate\n" : ": one area\n");
}

/* Two areas with four pages between them, of which one or both are written, and then four more pages in the gap: which of the
 * three become one? */
static void fill_gap(const char* name, int below, int above, int which) {
  char* room = mmap(0, 32 * PAGE, PROT_NONE, ANON, -1, 0);
  mmap(room + 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  mmap(room + 12 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  if (below) write_byte(room + 4 * PAGE, 1);
  if (above) write_byte(room + 12 * PAGE, 1);
  mmap(room + 8 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  put(name);
  if (which == 0) report(", all", room + 4 * PAGE, 12);
  if (which == 1) report(", below and gap", room + 4 * PAGE, 8);
  if (which == 2) report(", gap and above", room + 8 * PAGE, 8);
}

int main(void) {
  phases_begin();
  for (int which = 0; which < 3; ++which) {
    fill_gap("none written", 0, 0, which);
    fill_gap("below written", 1, 0, which);
    fill_gap("above written", 0, 1, which);
    fill_gap("both written", 1, 1, which);
  }
  /* Two mappings, one of which is written: one area if they touch, two if there is a gap. */
  char* room = mmap(0, 1024 * PAGE, PROT_NONE, ANON, -1, 0);
  char* merged = mmap(room + PAGE, kPages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  mmap(merged + kPages * PAGE, kPages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  char* guarded = mmap(room + 256 * PAGE, kPages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  mmap(guarded + (kPages + 1) * PAGE, kPages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  /* Merged only after the write, by a mapping that fills the gap. */
  char* filled = mmap(room + 512 * PAGE, kPages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  mmap(filled + 2 * kPages * PAGE, kPages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  /* Split after the write. */
  char* split = mmap(room + 768 * PAGE, 2 * kPages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  read_pages(merged, 0, kPages);
  write_byte(merged + kPages * PAGE, 1);
  read_pages(guarded, 0, kPages);
  write_byte(guarded + (kPages + 1) * PAGE, 1);
  read_pages(filled, 0, kPages);
  write_byte(filled + 2 * kPages * PAGE, 1);
  mmap(filled + kPages * PAGE, kPages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  read_pages(split, 0, kPages);
  write_byte(split + kPages * PAGE, 1);
  mprotect(split, kPages * PAGE, PROT_READ);

  CHILD("child", PHASE("merged", read_pages(merged, 0, kPages)); PHASE("guarded", read_pages(guarded, 0, kPages));
        PHASE("filled", read_pages(filled, 0, kPages)); PHASE("split", read_pages(split, 0, kPages));
        PHASE("merged_write", write_pages(merged, 0, kPages)); PHASE("guarded_write", write_pages(guarded, 0, kPages)));
  /* A hole punched by munmap takes its pages away and leaves the anon_vma to both parts. */
  munmap(merged + 8 * PAGE, 8 * PAGE);
  CHILD("child after munmap", PHASE("before_hole", read_pages(merged, 0, 8));
        PHASE("after_hole", read_pages(merged, 16, kPages)));
  /* Memory that the child maps beside what it inherited merges with it, and its own child gets all of it. */
  if (child_does("child maps more")) {
    char* more = mmap(guarded + kPages * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
    PHASE("more_read", read_byte(more));
    CHILD("grandchild", PHASE("all_read", read_pages(guarded, 0, 2 * kPages + 1)));
    child_ends();
  }
  return phases_print();
}
