/* G1, G3, D6: MAP_SHARED|MAP_ANONYMOUS: a read allocates one page and maps it writable; present pages come back in
 * windows after MADV_DONTNEED; a read-only area made writable faults no more. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include "support/data_file.h"

static char* map(char* at, unsigned pages, int prot) {
  return mmap(at, pages * PAGE, prot, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

int main(void) {
  const int rw = PROT_READ | PROT_WRITE;
  char* base = reserve_aligned(8);
  char* p = map(base, 48, rw);
  read_pages(p, 0, 32);
  write_pages(p, 0, 48);
  madvise(p, 48 * PAGE, MADV_DONTNEED);
  read_pages(p, 0, 48);
  write_pages(p, 0, 48);
  madvise(p, 48 * PAGE, MADV_DONTNEED);
  write_pages(p, 0, 48);
  p = map(base + 64 * PAGE, 32, PROT_READ);
  read_pages(p, 0, 32);
  mprotect(p, 32 * PAGE, rw);
  write_pages(p, 0, 32);
  mprotect(p, 32 * PAGE, PROT_READ);
  mprotect(p, 32 * PAGE, rw);
  write_pages(p, 0, 32);
  p = map(base + 128 * PAGE, 32, rw);
  for (unsigned i = 0; i < 32; i += 3) write_byte(p + i * PAGE, 1);
  madvise(p, 32 * PAGE, MADV_DONTNEED);
  read_pages(p, 0, 32);
  p = mremap(p, 32 * PAGE, 48 * PAGE, MREMAP_MAYMOVE);
  read_pages(p, 0, 32);
  put("done\n");
  return 0;
}
