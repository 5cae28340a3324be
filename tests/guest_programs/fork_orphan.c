/* The first process ends while its children live: they go on, count and print. Each knows of the other's end by the end of a
 * pipe. */
#define _GNU_SOURCE
#include <fcntl.h>
#include "support/processes.h"

enum { kPages = 16 };

static void await_end(int fd) {
  char c;
  if (raw3(kSysRead, fd, (long)&c, 1) != 0) put("not the end\n");
}

int main(void) {
  phases_begin();
  int alive[2], child_alive[2];
  if (pipe(alive) != 0 || pipe(child_alive) != 0) put("pipe failed\n");
  char* area = map_apart(kPages);
  write_pages(area, 0, kPages);
  if (fork() == 0) {
    close(alive[1]);
    if (fork() == 0) {
      close(child_alive[1]);
      settle();
      await_end(child_alive[0]); /* the child and the parent have ended */
      phase_count = 0;
      PHASE("grandchild", write_pages(area, 0, kPages));
      child_ends();
    }
    settle();
    await_end(alive[0]); /* the parent has ended */
    phase_count = 0;
    PHASE("child", write_pages(area, 0, kPages));
    child_ends();
  }
  settle();
  PHASE("parent", write_pages(area, 0, kPages / 2));
  phases_print();
  return 4;
}
