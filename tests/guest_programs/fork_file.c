/* G2 through a fork: a shared mapping of an ext4 file is written by both; whoever has it read-only pays once a page. And a
 * private mapping of the same pages, copied by one process. The data file's name is the argument. */
#define _GNU_SOURCE
#include "support/data_file.h"
#include "support/processes.h"

enum { kPages = 32 };

int main(int argc, char** argv) {
  phases_begin();
  const int fd = open_data_file(argc, argv, O_RDWR);
  char* base = reserve_aligned(8);
  char* shared = mmap(base, kPages * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  char* priv = mmap(base + 256 * PAGE, kPages * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
  read_pages(shared, 0, kPages);
  write_pages(shared, 0, 8);
  read_pages(priv, 0, kPages);
  write_byte(priv + 20 * PAGE, 1);
  CHILD("child", PHASE("shared_read", read_pages(shared, 0, kPages)); PHASE("shared_write", write_pages(shared, 0, 16));
        PHASE("private_read", read_pages(priv, 0, kPages)); PHASE("private_write", write_pages(priv, 0, kPages)));
  PHASE("shared_write", write_pages(shared, 0, kPages));
  PHASE("private_write", write_pages(priv, 0, kPages));
  CHILD("child syncs", PHASE("shared_write", write_pages(shared, 0, kPages));
        PHASE("msync", msync(shared, kPages * PAGE, MS_SYNC)); PHASE("write_again", write_pages(shared, 0, kPages)));
  PHASE("after_sync", write_pages(shared, 0, kPages));
  return phases_print();
}
