/* Section J, mprotect: exclusive anonymous pages become writable at once, zero pages and private file pages do not;
 * taking rights away loses no page. */
#define _GNU_SOURCE
#include "support/data_file.h"

int main(int argc, char** argv) {
  phases_begin();
  const int fd = open_data_file(argc, argv, O_RDONLY);
  char *base = reserve_aligned(8), *p;
  const int anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, rw = PROT_READ | PROT_WRITE;
  p = mmap(base, 64 * PAGE, rw, anon, -1, 0);
  write_pages(p, 0, 64);
  PHASE("anon_to_ro", mprotect(p, 64 * PAGE, PROT_READ));
  PHASE("anon_ro_read", read_pages(p, 0, 64));
  PHASE("anon_to_rw", mprotect(p, 64 * PAGE, rw));
  PHASE("anon_rw_write", write_pages(p, 0, 64));
  PHASE("anon_to_none", mprotect(p, 64 * PAGE, PROT_NONE));
  PHASE("anon_none_to_rw", mprotect(p, 64 * PAGE, rw));
  PHASE("anon_none_rw_read", read_pages(p, 0, 64));
  PHASE("anon_none_rw_write", write_pages(p, 0, 64));
  mprotect(p, 64 * PAGE, PROT_NONE);
  mprotect(p, 64 * PAGE, PROT_READ);
  PHASE("anon_none_ro_read", read_pages(p, 0, 64));
  mprotect(p, 64 * PAGE, rw);
  PHASE("anon_none_ro_rw_write", write_pages(p, 0, 64));
  mprotect(p, 64 * PAGE, PROT_READ | PROT_EXEC);
  mprotect(p, 64 * PAGE, rw);
  PHASE("anon_rx_rw_write", write_pages(p, 0, 64));
  p = mmap(base, 64 * PAGE, rw, anon, -1, 0);
  read_pages(p, 0, 64);
  mprotect(p, 64 * PAGE, PROT_READ);
  mprotect(p, 64 * PAGE, rw);
  PHASE("zero_rw_read", read_pages(p, 0, 64));
  PHASE("zero_rw_write", write_pages(p, 0, 64));
  p = mmap(base, 64 * PAGE, PROT_READ, anon, -1, 0);
  read_pages(p, 0, 64);
  mprotect(p, 64 * PAGE, PROT_NONE);
  mprotect(p, 64 * PAGE, rw);
  PHASE("zero_none_rw_read", read_pages(p, 0, 64));
  PHASE("zero_none_rw_write", write_pages(p, 0, 64));
  p = mmap(base, 64 * PAGE, PROT_NONE, anon, -1, 0);
  mprotect(p, 64 * PAGE, rw);
  PHASE("none_fresh_write", write_pages(p, 0, 64));
  mmap(base, 64 * PAGE, PROT_NONE, anon, -1, 0);
  p = mmap(base, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  PHASE("file_read", read_pages(p, 0, 64));
  PHASE("file_to_rw", mprotect(p, 64 * PAGE, rw));
  PHASE("file_rw_read", read_pages(p, 0, 64));
  PHASE("file_rw_write", write_pages(p, 0, 64));
  mprotect(p, 64 * PAGE, PROT_READ);
  mprotect(p, 64 * PAGE, rw);
  PHASE("file_copies_write", write_pages(p, 0, 64));
  mprotect(p, 64 * PAGE, PROT_NONE);
  mprotect(p, 64 * PAGE, rw);
  PHASE("file_copies_none_write", write_pages(p, 0, 64));
  /* Half of a range: the VMA is split, the pages stay. */
  p = mmap(base, 64 * PAGE, rw, anon, -1, 0);
  write_pages(p, 0, 64);
  PHASE("half_to_ro", mprotect(p + 32 * PAGE, 32 * PAGE, PROT_READ));
  PHASE("half_write", write_pages(p, 0, 32));
  PHASE("half_back", mprotect(p + 16 * PAGE, 48 * PAGE, rw));
  PHASE("half_back_write", write_pages(p, 0, 64));
  return phases_print();
}
