/* Section J, MAP_POPULATE and MADV_POPULATE_*: the faults are made inside the call, by get_user_pages. */
#define _GNU_SOURCE
#include "support/data_file.h"
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

int main(int argc, char** argv) {
  phases_begin();
  const int fd = open_data_file(argc, argv, O_RDWR);
  char *base = reserve_aligned(8), *p;
  const int anon = MAP_ANONYMOUS | MAP_FIXED, rw = PROT_READ | PROT_WRITE;
  PHASE("anon_rw", p = mmap(base, 64 * PAGE, rw, MAP_PRIVATE | anon | MAP_POPULATE, -1, 0));
  PHASE("anon_rw_write", write_pages(p, 0, 64));
  PHASE("anon_ro", p = mmap(base, 64 * PAGE, PROT_READ, MAP_PRIVATE | anon | MAP_POPULATE, -1, 0));
  PHASE("anon_ro_read", read_pages(p, 0, 64));
  PHASE("anon_ro_mprotect", mprotect(p, 64 * PAGE, rw));
  PHASE("anon_ro_write", write_pages(p, 0, 64));
  PHASE("anon_none", p = mmap(base, 64 * PAGE, PROT_NONE, MAP_PRIVATE | anon | MAP_POPULATE, -1, 0));
  mprotect(p, 64 * PAGE, rw);
  PHASE("anon_none_write", write_pages(p, 0, 64));
  PHASE("file_rw", p = mmap(base, 256 * PAGE, rw, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, fd, 0));
  PHASE("file_rw_write", write_pages(p, 0, 256));
  PHASE("file_ro", p = mmap(base, 256 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, fd, 0));
  PHASE("file_ro_read", read_pages(p, 0, 256));
  mmap(base, 8u << 20, PROT_NONE, MAP_PRIVATE | anon | MAP_NORESERVE, -1, 0);
  PHASE("file_ro_unaligned",
        p = mmap(base + 5 * PAGE, 256 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, fd, 0));
  PHASE("file_ro_unaligned_read", read_pages(p, 0, 256));
  mmap(base, 8u << 20, PROT_NONE, MAP_PRIVATE | anon | MAP_NORESERVE, -1, 0);
  PHASE("shared_anon", p = mmap(base, 64 * PAGE, rw, MAP_SHARED | anon | MAP_POPULATE, -1, 0));
  PHASE("shared_anon_write", write_pages(p, 0, 64));
  mmap(base, 8u << 20, PROT_NONE, MAP_PRIVATE | anon | MAP_NORESERVE, -1, 0);
  p = mmap(base, 64 * PAGE, rw, MAP_PRIVATE | anon, -1, 0);
  PHASE("madv_read", madvise(p, 64 * PAGE, MADV_POPULATE_READ));
  PHASE("madv_read_read", read_pages(p, 0, 64));
  PHASE("madv_read_write", write_pages(p, 0, 64));
  p = mmap(base, 64 * PAGE, rw, MAP_PRIVATE | anon, -1, 0);
  PHASE("madv_write", madvise(p, 64 * PAGE, MADV_POPULATE_WRITE));
  PHASE("madv_write_write", write_pages(p, 0, 64));
  p = mmap(base, 64 * PAGE, rw, MAP_PRIVATE | anon, -1, 0);
  write_pages(p, 0, 16);
  PHASE("madv_write_rest", madvise(p, 64 * PAGE, MADV_POPULATE_WRITE));
  p = mmap(base, 256 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  PHASE("madv_read_file", madvise(p, 256 * PAGE, MADV_POPULATE_READ));
  PHASE("madv_read_file_read", read_pages(p, 0, 256));
  p = mmap(base, 64 * PAGE, rw, MAP_PRIVATE | MAP_FIXED, fd, 0);
  PHASE("madv_write_file", madvise(p, 64 * PAGE, MADV_POPULATE_WRITE));
  PHASE("madv_write_file_write", write_pages(p, 0, 64));
  return phases_print();
}
