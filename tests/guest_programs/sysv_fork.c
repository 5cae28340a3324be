/* D6 and H1 through a fork: a child has a parent's attachments without their entries, and takes the pages one by one; what
 * one writes the other reads. The segment goes with the last of them. */
#define _GNU_SOURCE
#include "support/processes.h"

enum { kShmget = 395, kShmctl = 396, kShmat = 397, kShmdt = 398, kPages = 64, kReadOnly = 010000, kRmid = 0 };

int main(void) {
  phases_begin();
  const int id = (int)raw3(kShmget, 0, kPages * PAGE, 0600);
  char* p = (char*)raw3(kShmat, id, 0, 0);
  char* q = (char*)raw3(kShmat, id, 0, kReadOnly);
  PHASE("read", read_pages(p, 0, 16));
  PHASE("write", write_pages(p, 0, 32));
  PHASE("read_only", read_pages(q, 0, 32));
  if (child_does("child")) {
    PHASE("child_read", read_pages(p, 0, 32));
    PHASE("child_write", write_pages(p, 0, 48));
    PHASE("child_read_only", read_pages(q, 0, 48));
    p[3 * PAGE] = 77;
    CHILD("grandchild", PHASE("grandchild_write", write_pages(p, 40, kPages)); put_line("holds", q[3 * PAGE]));
    raw3(kShmdt, (long)p, 0, 0);
    PHASE("child_after", read_pages(q, 32, kPages));
    child_ends();
  }
  PHASE("new_half", read_pages(p, 32, kPages));
  put_line("holds", q[3 * PAGE]);
  raw3(kShmctl, id, kRmid, 0);
  CHILD("late child", PHASE("late_read", read_pages(p, 0, kPages)); put_line("holds", q[3 * PAGE]));
  raw3(kShmdt, (long)p, 0, 0);
  PHASE("read_only_after", read_pages(q, 0, kPages));
  raw3(kShmdt, (long)q, 0, 0);
  return phases_print();
}
