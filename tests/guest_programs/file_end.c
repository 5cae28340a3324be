/* D3, A3: mappings that pass the end of the file: the window stops there; beyond it SIGBUS, which does not count; the
 * rest of the last page is zeros. */
#include <setjmp.h>
#include <signal.h>
#include "support/data_file.h"

static sigjmp_buf back;
static int faults;
static void on_bus(int signal) {
  (void)signal;
  ++faults;
  siglongjmp(back, 1);
}

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDONLY);
  signal(SIGBUS, on_bus);
  char* base = reserve_aligned(8);
  char* p = mmap(base, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 290 * PAGE);
  for (volatile unsigned i = 0; i < 14; ++i) {
    if (!sigsetjmp(back, 1)) (void)read_byte(p + i * PAGE);
  }
  p = mmap(base, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 298 * PAGE);
  for (volatile unsigned i = 0; i < 4; ++i) {
    if (!sigsetjmp(back, 1)) write_byte(p + i * PAGE, 1);
  }
  if (!sigsetjmp(back, 1)) (void)raw3(kSysWrite, 1, (long)p + 3 * (long)PAGE, 4); /* EFAULT */
  put(faults == 6 ? "six\n" : "wrong\n");
  return 0;
}
