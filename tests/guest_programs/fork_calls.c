/* Memory calls on what was inherited: mremap, munmap, MAP_FIXED over, brk, growing, by the child and by the parent; the
 * other side keeps its pages. */
#include "support/processes.h"

enum { kPages = 16 };

static char* fresh(void) {
  char* p = map_apart(kPages);
  write_pages(p, 0, kPages);
  return p;
}

int main(void) {
  phases_begin();
  char *moved = fresh(), *hole = fresh(), *over = fresh(), *grown = fresh();
  char* heap = (char*)(((uintptr_t)raw3(45, 0, 0, 0) + PAGE - 1) & -PAGE);
  raw3(45, (long)(heap + kPages * PAGE), 0, 0);
  write_pages(heap, 0, kPages);
  char* place = mmap(0, 64 * PAGE, PROT_NONE, ANON, -1, 0);

  CHILD(
      "child", PHASE("mremap", moved = mremap(moved, kPages * PAGE, kPages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place));
      PHASE("moved_read", read_pages(moved, 0, kPages)); PHASE("moved_write", write_pages(moved, 0, kPages));
      PHASE("munmap", munmap(hole + 4 * PAGE, 4 * PAGE)); PHASE("hole_write", write_pages(hole, 0, 4));
      PHASE("map_over", mmap(over, kPages / 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
      PHASE("over_read", read_pages(over, 0, kPages)); PHASE("over_write", write_pages(over, 0, kPages));
      PHASE("grow", grown = mremap(grown, kPages * PAGE, 2 * kPages * PAGE, MREMAP_MAYMOVE));
      PHASE("grown_read", read_pages(grown, 0, 2 * kPages)); PHASE("grown_write", write_pages(grown, 0, 2 * kPages));
      PHASE("brk_down", raw3(45, (long)(heap + 4 * PAGE), 0, 0)); PHASE("brk_up", raw3(45, (long)(heap + kPages * PAGE), 0, 0));
      PHASE("heap_read", read_pages(heap, 0, kPages)); PHASE("heap_write", write_pages(heap, 0, kPages)));
  PHASE("moved_write", write_pages(moved, 0, kPages));
  PHASE("hole_write", write_pages(hole, 0, kPages));
  PHASE("over_write", write_pages(over, 0, kPages));
  PHASE("grown_write", write_pages(grown, 0, kPages));
  PHASE("heap_write", write_pages(heap, 0, kPages));

  /* The parent moves and unmaps while a child has the pages; a grandchild inherits what was moved. */
  struct turn turn;
  make_turn(&turn);
  const pid_t pid = fork();
  if (pid == 0) {
    settle();
    await_turn(&turn);
    phase_count = 0;
    PHASE("child_moved_write", write_pages(moved, 0, kPages));
    PHASE("child_hole_write", write_pages(hole, 0, kPages));
    child_ends();
  }
  settle();
  moved = mremap(moved, kPages * PAGE, kPages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
  munmap(hole, kPages / 2 * PAGE);
  PHASE("parent_moved_write", write_pages(moved, 0, kPages / 2));
  CHILD("child of moved memory", PHASE("read", read_pages(moved, 0, kPages));
        PHASE("write", write_pages(moved, 0, kPages)));
  give_turn(&turn);
  wait_for(pid);
  PHASE("parent_moved_write_all", write_pages(moved, 0, kPages));
  return phases_print();
}
