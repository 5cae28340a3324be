/* G2, H1: a child that dirties a shared file and exits, unmaps it or execs nothing: what it wrote is in the file, and the
 * parent's entries are as they were; syncing cleans the entries of all processes, and cutting the file takes them. */
#include "support/processes.h"
#include "support/shared_files.h"

enum { kPages = 32 };

int main(int argc, char** argv) {
  phases_begin();
  expect_bus_errors();
  const int fd = open_data_file(argc, argv, O_RDWR);
  char* base = reserve_aligned(8);
  char* s = SHARED_RW(base, kPages, fd, 0);
  char* r = SHARED_RO(base + 64 * PAGE, kPages, fd, 0);
  int failed = 0;
  read_pages(s, 0, 16);
  write_pages(s, 0, 4);
  CHILD("child exits", PHASE("write", write_pages(s, 0, 24)); s[10 * PAGE + 8] = 70);
  put_line("parent sees", read_byte(r + 10 * PAGE + 8));
  PHASE("parent_write", write_pages(s, 0, kPages));
  CHILD("child unmaps", PHASE("write", write_pages(s, 4, 12)); munmap(s, kPages * PAGE);
        PHASE("read", read_pages(r, 0, kPages)); failed |= fsync(fd); if (failed) put("a call failed\n"));
  PHASE("after_its_sync", write_pages(s, 0, 16));
  CHILD("child drops", failed |= madvise(s, kPages * PAGE, MADV_DONTNEED); PHASE("read", read_pages(s, 0, 20));
        PHASE("write", write_pages(s, 8, 24)); failed |= msync(s, 8 * PAGE, MS_SYNC);
        PHASE("write_again", write_pages(s, 0, 24)));
  PHASE("after_part", write_pages(s, 0, kPages));
  CHILD("child cuts", failed |= set_pages(fd, 8); PHASE("write", write_pages(s, 0, 8)); read_beyond(s + 9 * PAGE);
        put_line("bus errors", bus_errors));
  PHASE("after_cut", write_pages(s, 0, 8));
  write_beyond(s + 8 * PAGE);
  read_beyond(r + 31 * PAGE);
  put_line("bus errors", bus_errors);
  CHILD("child writes", failed |= pwrite(fd, "abc", 3, 3 * PAGE) != 3; PHASE("write", write_pages(s, 2, 6)));
  PHASE("read_only", read_pages(r, 0, 8));
  put_line("parent sees", read_byte(r + 3 * PAGE + 2));
  if (failed) put("a call failed\n");
  return phases_print();
}
