/* Section J and F3: MADV_DONTNEED on anonymous, file and part of a range; RANDOM, SEQUENTIAL, WILLNEED and NORMAL
 * change no count of a warm file. */
#define _GNU_SOURCE
#include "support/data_file.h"

int main(int argc, char** argv) {
  phases_begin();
  const int fd = open_data_file(argc, argv, O_RDONLY);
  char *base = reserve_aligned(8), *p;
  const int anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, rw = PROT_READ | PROT_WRITE;
  p = mmap(base, 64 * PAGE, rw, anon, -1, 0);
  write_pages(p, 0, 64);
  PHASE("dontneed_anon", madvise(p, 64 * PAGE, MADV_DONTNEED));
  PHASE("dontneed_anon_read", read_pages(p, 0, 64));
  if (read_byte(p + 3 * PAGE) != 0) put("contents survived\n");
  PHASE("dontneed_anon_write", write_pages(p, 0, 64));
  PHASE("dontneed_part", madvise(p + 10 * PAGE, 20 * PAGE, MADV_DONTNEED));
  PHASE("dontneed_part_write", write_pages(p, 0, 64));
  read_pages(p, 0, 64);
  PHASE("dontneed_odd_length", madvise(p, 1, MADV_DONTNEED));
  PHASE("dontneed_odd_length_write", write_pages(p, 0, 64));
  PHASE("dontneed_unaligned_is_EINVAL", if (!madvise(p + 1, PAGE, MADV_DONTNEED)) put("accepted\n"));
  PHASE("dontneed_unaligned_write", write_pages(p, 0, 64));
  p = mmap(base, 256 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  PHASE("file_read", read_pages(p, 0, 256));
  PHASE("dontneed_file", madvise(p, 256 * PAGE, MADV_DONTNEED));
  PHASE("dontneed_file_read", read_pages(p, 0, 256));
  PHASE("dontneed_file_part", madvise(p + 4 * PAGE, 8 * PAGE, MADV_DONTNEED));
  PHASE("dontneed_file_part_read", read_pages(p, 0, 256));
  p = mmap(base, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  PHASE("willneed", madvise(p, 64 * PAGE, MADV_WILLNEED));
  PHASE("willneed_read", read_pages(p, 0, 64));
  p = mmap(base, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  PHASE("random", madvise(p, 64 * PAGE, MADV_RANDOM));
  PHASE("random_read", read_pages(p, 0, 64));
  p = mmap(base, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  PHASE("sequential_part", madvise(p + 16 * PAGE, 16 * PAGE, MADV_SEQUENTIAL));
  PHASE("sequential_part_read", read_pages(p, 0, 64));
  p = mmap(base, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  madvise(p + 20 * PAGE, 20 * PAGE, MADV_RANDOM); /* splits the VMA, and so the windows */
  PHASE("random_part_read", read_pages(p, 0, 64));
  madvise(p + 20 * PAGE, 20 * PAGE, MADV_NORMAL);
  madvise(p, 64 * PAGE, MADV_DONTNEED);
  PHASE("normal_again_read", read_pages(p, 0, 64));
  p = mmap(base, 64 * PAGE, rw, anon, -1, 0);
  PHASE("willneed_anon", madvise(p, 64 * PAGE, MADV_WILLNEED));
  PHASE("willneed_anon_write", write_pages(p, 0, 64));
  return phases_print();
}
