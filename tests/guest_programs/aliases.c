/* D, G: one file mapped several times, shared and private at once: a write through one is seen in the others, and each
 * mapping faults for itself. */
#define _GNU_SOURCE
#include <unistd.h>
#include "support/data_file.h"

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDWR);
  const int rw = PROT_READ | PROT_WRITE;
  char* base = reserve_aligned(8);
  char* a = mmap(base, 32 * PAGE, rw, MAP_SHARED | MAP_FIXED, fd, 0);
  char* b = mmap(base + 32 * PAGE, 32 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
  char* c = mmap(base + 64 * PAGE, 32 * PAGE, rw, MAP_PRIVATE | MAP_FIXED, fd, 0);
  read_pages(c, 0, 4);
  write_pages(a, 0, 16);
  read_pages(b, 0, 16);
  write_pages(c, 2, 8);
  write_pages(a, 8, 24);
  read_pages(c, 0, 32);
  const unsigned value = 77;
  int bad = pwrite(fd, &value, sizeof value, 20 * PAGE) != sizeof value;
  bad |= page_number(a + 20 * PAGE) != 77 || page_number(b + 20 * PAGE) != 77 || page_number(c + 20 * PAGE) != 77;
  bad |= read_byte(c + 3 * PAGE) != 4 || read_byte(b + 3 * PAGE) != 4;
  put(bad ? "wrong\n" : "done\n");
  return 0;
}
