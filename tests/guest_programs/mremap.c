/* Section J, mremap: moving keeps every PTE (anonymous, zero page, file); growing adds only absent pages, shrinking
 * drops pages. */
#define _GNU_SOURCE
#include "support/data_file.h"

static char* move(char* from, unsigned pages, char* to, unsigned to_pages) {
  char* at = mremap(from, pages * PAGE, to_pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
  if (at != to) put("mremap failed\n");
  return at;
}

int main(int argc, char** argv) {
  phases_begin();
  const int fd = open_data_file(argc, argv, O_RDONLY);
  char *base = reserve_aligned(16), *there = base + (8u << 20), *p;
  const int anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, rw = PROT_READ | PROT_WRITE;
  p = mmap(base, 64 * PAGE, rw, anon, -1, 0);
  write_pages(p, 0, 64);
  PHASE("move_anon", p = move(p, 64, there, 64));
  PHASE("move_anon_write", write_pages(p, 0, 64));
  if (read_byte(p + 5 * PAGE) != 6) put("lost contents\n");
  PHASE("old_place_again", p = mmap(base, 64 * PAGE, rw, anon, -1, 0); write_pages(p, 0, 64));
  p = mmap(base, 64 * PAGE, rw, anon, -1, 0);
  read_pages(p, 0, 64);
  PHASE("move_zero_pages", p = move(p, 64, there, 64));
  PHASE("move_zero_pages_read", read_pages(p, 0, 64));
  PHASE("move_zero_pages_write", write_pages(p, 0, 64));
  p = mmap(base, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  read_pages(p, 0, 64);
  PHASE("move_file", p = move(p, 64, there, 64));
  PHASE("move_file_read", read_pages(p, 0, 64));
  if (page_number(p + 9 * PAGE) != 9) put("wrong page\n");
  p = mmap(base, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  PHASE("move_file_untouched", p = move(p, 64, there, 64));
  PHASE("move_file_untouched_read", read_pages(p, 0, 64));
  p = mmap(base, 64 * PAGE, rw, anon, -1, 0);
  write_pages(p, 0, 64);
  PHASE("move_unaligned", p = move(p, 64, there + 5 * PAGE, 64));
  PHASE("move_unaligned_write", write_pages(p, 0, 64));
  p = mmap(base, 64 * PAGE, rw, anon, -1, 0);
  write_pages(p, 0, 64);
  PHASE("move_half", move(p + 32 * PAGE, 32, there, 32));
  PHASE("move_half_write", write_pages(p, 0, 32); write_pages(there, 0, 32));
  munmap(base, 128 * PAGE);
  p = mmap(base, 64 * PAGE, rw, anon, -1, 0);
  write_pages(p, 0, 64);
  PHASE("grow_in_place", if (mremap(p, 64 * PAGE, 96 * PAGE, 0) != p) put("did not grow in place\n"));
  PHASE("grow_in_place_write", write_pages(p, 0, 96));
  PHASE("shrink", mremap(p, 96 * PAGE, 32 * PAGE, 0));
  PHASE("shrink_write", write_pages(p, 0, 32));
  PHASE("grow_back", mremap(p, 32 * PAGE, 64 * PAGE, 0));
  PHASE("grow_back_write", write_pages(p, 0, 64));
  PHASE("move_and_grow", p = move(p, 64, there, 80));
  PHASE("move_and_grow_write", write_pages(p, 0, 80));
  PHASE("move_and_shrink", p = move(p, 80, base, 40));
  PHASE("move_and_shrink_write", write_pages(p, 0, 40));
  /* Shared anonymous memory: old size 0 makes a second mapping of the same pages. */
  char* shared = mmap(base, 32 * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  write_pages(shared, 0, 32);
  munmap(there, 32 * PAGE);
  PHASE("duplicate", mremap(shared, 0, 32 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, there));
  PHASE("duplicate_read", read_pages(there, 0, 32));
  if (read_byte(there + 7 * PAGE) != 8) put("not the same pages\n");
  PHASE("duplicate_write", write_pages(there, 0, 32));
  return phases_print();
}
