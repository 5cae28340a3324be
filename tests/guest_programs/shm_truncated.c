/* G1: a memory file that is cut and grown under shared, private and locked mappings: the entries go, copies too, accesses
 * beyond the end give SIGBUS; what comes back is zeros, one fault a page. */
#include "support/shared_files.h"

int main(void) {
  expect_bus_errors();
  const int fd = memory_file(64);
  char* base = reserve_aligned(8);
  char* s = SHARED_RW(base, 64, fd, 0);
  char* p = PRIVATE_RW(base + 64 * PAGE, 64, fd, 0);
  char* locked = SHARED_RW(base + 128 * PAGE, 32, fd, 0);
  write_pages(s, 0, 40);
  read_pages(p, 0, 40);
  write_pages(p, 8, 24);
  int failed = mlock(locked, 32 * PAGE);
  s[12 * PAGE + 99] = s[12 * PAGE + 100] = s[12 * PAGE + 101] = 5;
  failed |= ftruncate(fd, 12 * PAGE + 100);
  for (unsigned i = 10; i < 30; i += 5) read_beyond(s + i * PAGE);
  for (unsigned i = 10; i < 30; i += 5) write_beyond(p + i * PAGE);
  read_beyond(locked + 20 * PAGE);
  failed |= set_pages(fd, 40);
  failed |= read_byte(s + 12 * PAGE + 99) != 5 || read_byte(s + 12 * PAGE + 100) != 0;
  read_pages(locked, 0, 32);
  read_pages(s, 0, 40);
  write_pages(s, 10, 20);
  failed |= read_byte(s + 21 * PAGE) != 0;
  read_pages(p, 0, 40);
  write_pages(p, 4, 30);
  failed |= set_pages(fd, 0);
  read_beyond(s);
  write_beyond(p + 5 * PAGE);
  failed |= set_pages(fd, 16);
  write_pages(p, 0, 16);
  read_pages(s, 0, 16);
  put(!failed && bus_errors == 9 ? "done\n" : "wrong\n");
  return 0;
}
