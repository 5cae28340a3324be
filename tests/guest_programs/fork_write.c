/* H3: after a fork all private pages of copied areas are read-only on both sides; each process's first write to each page
 * is one fault, whether it copies or takes the page over. Every order of writing among parent, child and grandchild; several
 * forks without writes in between are one fault. settle() writes data and bss likewise. */
#include "support/processes.h"

enum { kPages = 16 };
static char* area;
static struct turn turns[4];

static void write_twice(void) {
  PHASE("area", write_pages(area, 0, kPages));
  PHASE("area_again", write_pages(area, 0, kPages));
}

static void fresh(void) {
  munmap(area, kPages * PAGE);
  area = map_apart(kPages);
  write_pages(area, 0, kPages);
}

/* Calls itself until `depth` pages of stack are written. */
static NOINLINE int use_stack(int depth) {
  volatile char page[PAGE];
  page[0] = (char)depth;
  return depth ? use_stack(depth - 1) + page[0] : 0;
}

int main(void) {
  phases_begin();
  area = map_apart(kPages);
  write_pages(area, 0, kPages);
  for (int i = 0; i < 4; ++i) make_turn(&turns[i]);

  CHILD("child first", write_twice());
  write_twice();

  fresh();
  pid_t pid = fork();
  if (pid == 0) { /* the parent first */
    settle();
    await_turn(&turns[0]);
    phase_count = 0;
    PHASE("child_after_parent", write_pages(area, 0, kPages));
    child_ends();
  }
  settle();
  PHASE("parent_before_child", write_pages(area, 0, kPages));
  give_turn(&turns[0]);
  wait_for(pid);
  PHASE("parent_after_child", write_pages(area, 0, kPages));

  fresh();
  pid = fork();
  if (pid == 0) { /* the grandchild, then the child, then the parent */
    settle();
    pid = fork();
    if (pid == 0) {
      settle();
      phase_count = 0;
      PHASE("grandchild_first", write_pages(area, 0, kPages));
      phases_print();
      give_turn(&turns[1]);
      await_turn(&turns[2]);
      raw3(kSysExit, 0, 0, 0);
    }
    settle();
    await_turn(&turns[1]);
    phase_count = 0;
    PHASE("child_second", write_pages(area, 0, kPages));
    phases_print();
    give_turn(&turns[0]);
    await_turn(&turns[3]);
    give_turn(&turns[2]);
    wait_for(pid);
    raw3(kSysExit, 0, 0, 0);
  }
  settle();
  await_turn(&turns[0]);
  PHASE("parent_third", write_pages(area, 0, kPages));
  give_turn(&turns[3]);
  wait_for(pid);
  PHASE("parent_alone", write_pages(area, 0, kPages));

  fresh();
  for (int i = 0; i < 3; ++i) CHILD("child without writes", );
  PHASE("after_three_forks", write_pages(area, 0, kPages));
  CHILD("child reads", PHASE("child_read", read_pages(area, 0, kPages)));
  PHASE("after_a_reading_child", write_pages(area, 0, kPages));

  /* Half of the pages by each, while both live. */
  pid = fork();
  if (pid == 0) {
    settle();
    phase_count = 0;
    PHASE("child_lower_half", write_pages(area, 0, kPages / 2));
    phases_print();
    give_turn(&turns[0]);
    await_turn(&turns[1]);
    raw3(kSysExit, 0, 0, 0);
  }
  settle();
  await_turn(&turns[0]);
  PHASE("parent_upper_half", write_pages(area, kPages / 2, kPages));
  PHASE("parent_lower_half", write_pages(area, 0, kPages / 2));
  give_turn(&turns[1]);
  wait_for(pid);

  PHASE("stack", use_stack(32));
  CHILD("child's stack", PHASE("same_depth", use_stack(32)); PHASE("deeper", use_stack(64)));
  PHASE("stack_again", use_stack(32));
  PHASE("stack_deeper", use_stack(64));
  return phases_print();
}
