/* What the kernel says about the process: user, groups, page size. The answers are the host's, so that a program
 * that looks at them runs the same code. */
#define _GNU_SOURCE
#include <grp.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
  gid_t list[256];
  const int count = getgroups(256, list);
  printf("%d %d %d %d %d:", (int)getuid(), (int)geteuid(), (int)getgid(), (int)getegid(), count);
  for (int i = 0; i < count; ++i) printf(" %d", (int)list[i]);
  putchar('\n');
  printf("%ld %ld\n", sysconf(_SC_PAGESIZE), sysconf(_SC_CLK_TCK));
  return 0;
}
