/* D3, E2: a file that is cut and grown while it is mapped: its pages, private copies too, are gone; the rest of
 * the last page is zeros; beyond the end SIGBUS. */
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>
#include "support/data_file.h"

static sigjmp_buf back;
static int bus;
static void on_bus(int signal) {
  (void)signal;
  ++bus;
  siglongjmp(back, 1);
}

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDWR);
  const int rw = PROT_READ | PROT_WRITE;
  signal(SIGBUS, on_bus);
  char* base = reserve_aligned(8);
  char* s = mmap(base, 64 * PAGE, rw, MAP_SHARED | MAP_FIXED, fd, 0);
  char* p = mmap(base + 64 * PAGE, 64 * PAGE, rw, MAP_PRIVATE | MAP_FIXED, fd, 0);
  write_pages(s, 0, 32);
  write_pages(p, 8, 24);
  read_pages(p, 0, 32);
  int bad = ftruncate(fd, 12 * PAGE + 100);
  for (volatile unsigned i = 0; i < 32; i += 4) {
    if (!sigsetjmp(back, 1)) (void)read_byte(p + i * PAGE);
  }
  bad |= ftruncate(fd, 40 * PAGE);
  read_pages(p, 0, 13);
  write_pages(s, 2, 12);
  put(!bad && bus == 4 ? "done\n" : "wrong\n");
  return 0;
}
