/* D1, D3: windows in areas shorter than 16 pages, at file offsets other than 0, areas that end inside a window, two
 * areas of one file side by side, pages that are present already. */
#include "support/data_file.h"

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDONLY);
  char* base = reserve_aligned(8);
  const int flags = MAP_PRIVATE | MAP_FIXED;
  char* p = mmap(base + 3 * PAGE, PAGE, PROT_READ, flags, fd, 7 * PAGE);
  (void)read_byte(p);
  p = mmap(base + 14 * PAGE, 5 * PAGE, PROT_READ, flags, fd, 100 * PAGE);
  read_pages(p, 0, 5);
  p = mmap(base + 64 * PAGE, 40 * PAGE, PROT_READ, flags, fd, 5 * PAGE);
  mmap(base + 104 * PAGE, 40 * PAGE, PROT_READ, flags, fd, 200 * PAGE);
  (void)read_byte(p + 39 * PAGE);
  (void)read_byte(p + 40 * PAGE);
  read_pages(p, 0, 80);
  p = mmap(base + 256 * PAGE, 64 * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
  for (unsigned i = 1; i < 64; i += 6) write_byte(p + i * PAGE, 1);
  read_pages(p, 0, 64);
  munmap(p + 20 * PAGE, 8 * PAGE);
  mmap(p + 20 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE, flags, fd, 20 * PAGE);
  read_pages(p, 0, 64);
  unsigned sum = 0;
  for (unsigned i = 0; i < 64; ++i) sum += page_number(p + i * PAGE);
  put(sum != 0 ? "done\n" : "wrong\n");
  return 0;
}
