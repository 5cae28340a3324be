/* A chain of forks: each process writes a page of its own and one of its ancestors', its child does the same, and when the
 * child has ended it writes them all. Every process prints its faults, the deepest first. */
#include "support/processes.h"

enum { kDepth = 20 };

int main(void) {
  phases_begin();
  char* area = map_apart(kDepth);
  int depth = 0;
  pid_t pid = 0;
  for (; depth < kDepth; ++depth) {
    phase_count = 0;
    PHASE("own", write_byte(area + depth * PAGE, (unsigned char)depth));
    if (depth) PHASE("parent's", write_byte(area + (depth - 1) * PAGE, 1));
    if (depth + 1 == kDepth) break;
    pid = fork();
    if (pid != 0) break;
    nap();
    settle();
  }
  if (pid != 0) {
    wait_for(pid);
    settle();
  }
  PHASE("all", read_pages(area, 0, kDepth); write_pages(area, 0, kDepth));
  put_line("depth", depth);
  phases_print();
  return 0;
}
