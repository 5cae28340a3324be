/* G2, D3: write() to a file below its mappings: entries stay, contents change, and a page that write() made dirty still
 * faults at the first store through a shared mapping; a dirty page whose entries were dropped comes back read-only. */
#include "support/shared_files.h"

static char text[4 * PAGE];

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDWR);
  char* base = reserve_aligned(8);
  char* s = SHARED_RW(base, 64, fd, 0);
  char* p = PRIVATE_RW(base + 64 * PAGE, 64, fd, 0);
  read_pages(s, 0, 32);
  read_pages(p, 0, 16);
  write_pages(p, 2, 4);
  for (unsigned i = 0; i < 4 * PAGE; ++i) text[i] = 9;
  int failed = pwrite(fd, text, sizeof text, 0) != sizeof text || pwrite(fd, text, 1, 40 * PAGE) != 1;
  failed |= read_byte(s + PAGE) != 9 || read_byte(p + PAGE) != 9 || read_byte(p + 2 * PAGE) != 3;
  write_pages(s, 0, 8);
  write_pages(s, 40, 42);
  madvise(s, 64 * PAGE, MADV_DONTNEED);
  read_pages(s, 0, 48);
  write_pages(s, 0, 8);
  /* Out of a mapping of the file into the file, and from the file into one. */
  failed |= pwrite(fd, s + 48 * PAGE, 4 * PAGE, 16 * PAGE) != 4 * PAGE;
  failed |= pread(fd, s + 20 * PAGE, 4 * PAGE, 0) != 4 * PAGE;
  failed |= pread(fd, p + 20 * PAGE, 4 * PAGE, 0) != 4 * PAGE;
  failed |= read_byte(s + 20 * PAGE) != 1 || read_byte(p + 21 * PAGE) != 2;
  read_pages(p, 16, 64);
  write_pages(s, 16, 24);
  failed |= fsync(fd);
  failed |= pwrite(fd, text, sizeof text, 4 * PAGE) != sizeof text;
  write_pages(s, 0, 24);
  failed |= read_byte(p + 5 * PAGE) != 6;
  put(failed ? "wrong\n" : "done\n");
  return 0;
}
