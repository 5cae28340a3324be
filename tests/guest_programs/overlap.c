/* F3, F4: mappings made over parts of others, of every kind over every kind; what is left of both faults as before. */
#define _GNU_SOURCE
#include "support/data_file.h"

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDONLY);
  const int rw = PROT_READ | PROT_WRITE;
  char* base = reserve_aligned(8);
  for (int below = 0; below < 3; ++below) {
    for (int above = 0; above < 3; ++above) {
      char* p = base + (below * 3 + above) * 64 * PAGE;
      const int kinds[] = {MAP_PRIVATE | MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS, MAP_PRIVATE};
      mmap(p, 40 * PAGE, rw, kinds[below] | MAP_FIXED, below == 2 ? fd : -1, 0);
      read_pages(p, 0, 20);
      write_pages(p, 15, 40);
      mmap(p + 10 * PAGE, 12 * PAGE, rw, kinds[above] | MAP_FIXED, above == 2 ? fd : -1, 30 * PAGE * (above == 2));
      read_pages(p, 0, 40);
      write_pages(p, 0, 40);
      munmap(p + 5 * PAGE, 10 * PAGE);
      read_pages(p, 0, 5);
      read_pages(p, 15, 40);
    }
  }
  put("done\n");
  return 0;
}
