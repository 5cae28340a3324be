/* G2: a shared mapping of a file on ext4: reads map 16 pages read-only, the first write to each page faults once, and
 * again after msync; write first is one fault without neighbours. */
#define _GNU_SOURCE
#include "support/data_file.h"

static void number_pages(char* p, unsigned from, unsigned to) {
  for (unsigned i = from; i < to; ++i) *(volatile unsigned*)(p + i * PAGE) = i;
}

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDWR);
  char* base = reserve_aligned(8);
  const int rw = PROT_READ | PROT_WRITE;
  char* p = mmap(base, 64 * PAGE, rw, MAP_SHARED | MAP_FIXED, fd, 0);
  read_pages(p, 0, 64);
  number_pages(p, 0, 64);
  number_pages(p, 0, 64);
  if (msync(p, 32 * PAGE, MS_SYNC)) put("msync failed\n");
  number_pages(p, 0, 64);
  p = mmap(base + 64 * PAGE, 64 * PAGE, rw, MAP_SHARED | MAP_FIXED, fd, 64 * PAGE);
  number_pages(p, 3, 20);
  read_pages(p, 0, 64);
  p = mmap(base + 128 * PAGE, 32 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 128 * PAGE);
  read_pages(p, 0, 32);
  if (mprotect(p, 32 * PAGE, rw)) put("mprotect failed\n");
  number_pages(p, 0, 32);
  if (mprotect(p, 32 * PAGE, PROT_READ) || mprotect(p, 32 * PAGE, rw)) put("mprotect failed\n");
  number_pages(p, 0, 32);
  madvise(p, 32 * PAGE, MADV_DONTNEED);
  read_pages(p, 0, 32);
  put("done\n");
  return 0;
}
