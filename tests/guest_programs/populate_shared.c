/* Section J, MAP_POPULATE of a shared writable file mapping (ext4): windows of read faults, then a write fault for each
 * page (page_mkwrite). */
#define _GNU_SOURCE
#include "support/data_file.h"

int main(int argc, char** argv) {
  phases_begin();
  const int fd = open_data_file(argc, argv, O_RDWR);
  char *base = reserve_aligned(8), *p;
  PHASE("call", p = mmap(base, 256 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0));
  PHASE("read", read_pages(p, 0, 256));
  PHASE("write", for (int i = 0; i < 256; ++i) * (volatile unsigned*)(p + i * PAGE) = i);
  PHASE("write_again", for (int i = 0; i < 256; ++i) * (volatile unsigned*)(p + i * PAGE) = i);
  return phases_print();
}
