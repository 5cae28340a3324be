/* J: process_madvise to oneself and to a child: COLD, PAGEOUT and WILLNEED of several ranges at once move no page without
 * swap; a child's own pages are advised from outside. */
#include <sys/uio.h>
#include "support/processes.h"

enum { kSysPidfdOpen = 434, kSysProcessMadvise = 440, kWillNeed = 3, kCold = 20, kPageOut = 21, kPages = 32 };

static long advise(long pidfd, char* a, char* b, int advice) {
  const struct iovec ranges[2] = {{a, kPages / 2 * PAGE}, {b, kPages * PAGE}};
  return raw6(kSysProcessMadvise, pidfd, (long)ranges, 2, advice, 0, 0);
}

int main(void) {
  phases_begin();
  const long whole = (kPages + kPages / 2) * (long)PAGE;
  char *p = map_apart(kPages), *s = mmap(0, kPages * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct turn go, done;
  make_turn(&go);
  make_turn(&done);
  const long self = raw3(kSysPidfdOpen, getpid(), 0, 0);
  write_pages(p, 0, 20);
  read_pages(p, 20, kPages);
  write_pages(s, 0, 20);
  int wrong = 0;
  PHASE("cold", wrong |= advise(self, p, s, kCold) != whole);
  PHASE("after_cold", read_pages(p, 0, kPages); write_pages(s, 0, kPages));
  PHASE("pageout", wrong |= advise(self, p, s, kPageOut) != whole);
  PHASE("after_pageout", write_pages(p, 0, kPages); write_pages(s, 0, kPages));
  PHASE("willneed", wrong |= advise(self, p, s, kWillNeed) != whole);
  const pid_t pid = fork();
  if (pid == 0) {
    nap();
    settle();
    phase_count = 0;
    write_pages(p, 0, 8);
    give_turn(&done);
    await_turn(&go);
    PHASE("child", write_pages(p, 0, kPages); write_pages(s, 0, kPages));
    child_ends();
  }
  const long child = raw3(kSysPidfdOpen, pid, 0, 0);
  await_turn(&done);
  settle();
  PHASE("child_pageout", wrong |= advise(child, p, s, kPageOut) != whole);
  PHASE("own_pages", write_pages(p, 0, kPages); write_pages(s, 0, kPages));
  give_turn(&go);
  wait_for(pid);
  munmap(p + 4 * PAGE, 4 * PAGE);
  PHASE("hole", wrong |= advise(self, p, s, kCold) >= 0);
  if (wrong) put("wrong\n");
  return phases_print();
}
