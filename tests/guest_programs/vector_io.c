/* I1: readv, writev, pread, pwrite, pipes and sendfile with buffers that nothing has touched. */
#define _GNU_SOURCE
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>
#include "support/data_file.h"

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDONLY);
  char* p = mmap(0, 128 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct iovec v[3] = {{p + 100, 3 * PAGE}, {p + 5 * PAGE, 10}, {p + 7 * PAGE - 5, 10}};
  long sum = readv(fd, v, 3);
  sum += pread(fd, p + 10 * PAGE, 4 * PAGE, 50);
  sum += pread(fd, p + 16 * PAGE, 4 * PAGE, 299 * PAGE + 100); /* short: the end of the file */
  int ends[2];
  if (pipe(ends)) return 1;
  sum += write(ends[1], p + 24 * PAGE, 3 * PAGE);
  sum += read(ends[0], p + 32 * PAGE + 7, 3 * PAGE);
  struct iovec w[2] = {{p + 40 * PAGE, 2 * PAGE}, {p + 44 * PAGE + 1, PAGE}};
  sum += writev(ends[1], w, 2);
  sum += read(ends[0], p + 48 * PAGE, 16 * PAGE); /* asks for more than there is */
  sum += sendfile(ends[1], fd, (off_t*)(p + 70 * PAGE), 2 * PAGE);
  sum += read(ends[0], p + 72 * PAGE, 2 * PAGE);
  sum += write(1, p + 80 * PAGE, 0);
  const int zero = open("/dev/zero", O_RDONLY);
  sum += read(zero, p + 84 * PAGE, 5 * PAGE + 1);
  const int null = open("/dev/null", O_WRONLY);
  sum += write(null, p + 96 * PAGE, 5 * PAGE); /* not read at all */
  char line[16], *end = put_number(line, sum);
  *end++ = '\n';
  *end = 0;
  put(line);
  return 0;
}
