/* J: mlock2(MLOCK_ONFAULT) and mlockall(MCL_ONFAULT) populate nothing; pages fault as if unlocked; a later plain mlock
 * populates. */
#define _GNU_SOURCE
#include "support/data_file.h"

enum { kSysMlock2 = 376, kOnFault = 1, kMclOnFault = 4 };

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDONLY);
  const int anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, rw = PROT_READ | PROT_WRITE;
  char *base = reserve_aligned(8), *p;
  int failed = 0;
  p = mmap(base, 16 * PAGE, rw, anon, -1, 0);
  failed |= raw3(kSysMlock2, (long)p, 16 * PAGE, kOnFault) != 0;
  read_pages(p, 0, 8);
  write_pages(p, 4, 12);
  failed |= mlock(p, 16 * PAGE);
  write_pages(p, 0, 16);
  munlock(p, 16 * PAGE);
  p = mmap(base + 16 * PAGE, 32 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  failed |= raw3(kSysMlock2, (long)p, 32 * PAGE, kOnFault) != 0;
  read_pages(p, 0, 32);
  munlock(p, 32 * PAGE);
  failed |= mlockall(MCL_FUTURE | kMclOnFault);
  p = mmap(base + 64 * PAGE, 16 * PAGE, rw, anon, -1, 0);
  write_pages(p, 0, 8);
  p = mmap(base + 96 * PAGE, 16 * PAGE, rw, anon | MAP_POPULATE, -1, 0);
  write_pages(p, 0, 16);
  p = mremap(base + 64 * PAGE, 16 * PAGE, 24 * PAGE, MREMAP_MAYMOVE);
  write_pages(p, 0, 24);
  char* heap = (char*)(((uintptr_t)raw3(45, 0, 0, 0) + PAGE - 1) & -PAGE);
  raw3(45, (long)heap + 16 * (long)PAGE, 0, 0);
  write_pages(heap, 0, 16);
  failed |= munlockall();
  put(failed ? "a call failed\n" : "done\n");
  return 0;
}
