/* G1, D6: a file in /dev/shm, mapped twice: what one mapping makes comes to the other in windows; the file grows under its
 * mappings, by its size and by write(), and ends in the middle of a page. */
#include "support/shared_files.h"

int main(void) {
  static char text[PAGE];
  expect_bus_errors();
  const int fd = shm_file(48);
  char* base = reserve_aligned(8);
  char* w = SHARED_RW(base, 64, fd, 0);
  char* r = SHARED_RO(base + 96 * PAGE, 64, fd, 0);
  write_pages(w, 0, 20);
  read_pages(r, 0, 24);
  read_pages(w, 16, 32);
  write_pages(w, 16, 32);
  write_beyond(w + 48 * PAGE);
  read_beyond(r + 63 * PAGE);
  int failed = set_pages(fd, 60);
  write_pages(w, 40, 60);
  read_pages(r, 24, 60);
  read_beyond(r + 60 * PAGE);
  failed |= pwrite(fd, text, PAGE, 60 * PAGE) != PAGE || pwrite(fd, "x", 1, 62 * PAGE + 7) != 1;
  read_pages(r, 60, 63);
  read_pages(w, 60, 63);
  read_beyond(w + 63 * PAGE);
  failed |= read_byte(w + 62 * PAGE + 7) != 'x' || read_byte(w + 62 * PAGE + 8) != 0;
  mprotect(r, 64 * PAGE, PROT_READ | PROT_WRITE);
  write_pages(r, 0, 63);
  close(fd);
  munmap(w, 64 * PAGE);
  madvise(r, 64 * PAGE, MADV_DONTNEED);
  read_pages(r, 0, 63);
  put(!failed && bus_errors == 4 ? "done\n" : "wrong\n");
  return 0;
}
