/* I2, D5: paths and vectors as arguments: in untouched rodata, across a page boundary, ending at an absent page, in
 * anonymous memory that was never written; failing calls that do not reach their buffer. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "support/guest.h"

static const char far[5 * PAGE] __attribute__((aligned(4096))) = {[4 * PAGE + 8] = '/'};

int main(void) {
  char* p = mmap(0, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int fd = open(far + 4 * PAGE + 8, O_RDONLY);
  int bad = fd < 0;
  memcpy(p + PAGE - 3, "/./", 3); /* the terminator is on the next page, which is untouched */
  fd = open(p + PAGE - 3, O_RDONLY);
  bad |= fd < 0;
  bad |= open(p + 3 * PAGE, O_RDONLY) != -1 || errno != ENOENT; /* an empty path */
  mprotect(p + 6 * PAGE, PAGE, PROT_NONE);
  memcpy(p + 6 * PAGE - 2, "//", 2);
  bad |= open(p + 6 * PAGE - 2, O_RDONLY) != -1 || errno != EFAULT;
  bad |= read(99, p + 7 * PAGE, 100) != -1 || errno != EBADF;
  bad |= write(-1, p + 8 * PAGE, 100) != -1 || errno != EBADF;
  bad |= read(0, p + 9 * PAGE, 100) != 0; /* /dev/null: end of file */
  const struct iovec* vector = (const struct iovec*)(p + 11 * PAGE);
  bad |= readv(0, vector, 3) != 0;
  bad |= rename(p + 12 * PAGE, p + 13 * PAGE) != -1;
  bad |= link(p + 18 * PAGE, p + 19 * PAGE) != -1;
  bad |= symlink(p + 20 * PAGE, p + 21 * PAGE) != -1;
  bad |= readlink("/nowhere", p + 14 * PAGE, 10) != -1;
  bad |= stat("/nowhere", (struct stat*)(p + 15 * PAGE)) != -1;
  bad |= getcwd(p + 16 * PAGE, 1) != NULL || errno != ERANGE;
  bad |= access(p + 17 * PAGE - 1, F_OK) != -1;
  put(bad ? "wrong\n" : "done\n");
  return 0;
}
