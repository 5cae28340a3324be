/* J: MAP_LOCKED populates like MAP_POPULATE, MAP_NONBLOCK undoes MAP_POPULATE but not MAP_LOCKED; PROT_NONE is locked
 * without a page; areas that MLOCK_ONFAULT has locked give no error where nothing may be read. */
#include "support/shared_files.h"

enum { kSysMlock2 = 376, kOnFault = 1, kPages = 16, kDontNeedLocked = 24 };

int main(int argc, char** argv) {
  const int data = open_data_file(argc, argv, O_RDONLY);
  const int anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, rw = PROT_READ | PROT_WRITE;
  char *base = reserve_aligned(8), *p;
  p = mmap(base, kPages * PAGE, rw, anon | MAP_POPULATE | MAP_NONBLOCK, -1, 0);
  write_pages(p, 0, kPages);
  p = mmap(base + 32 * PAGE, kPages * PAGE, rw, anon | MAP_LOCKED | MAP_NONBLOCK, -1, 0);
  write_pages(p, 0, kPages);
  p = mmap(base + 64 * PAGE, kPages * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_LOCKED, data, 0);
  read_pages(p, 0, kPages);
  int failed = mprotect(p, kPages * PAGE, rw);
  write_pages(p, 0, kPages);
  p = mmap(base + 96 * PAGE, kPages * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED | MAP_LOCKED, -1, 0);
  write_pages(p, 0, kPages);
  failed |= madvise(p, kPages * PAGE, kDontNeedLocked);
  write_pages(p, 0, kPages);
  p = mmap(base + 128 * PAGE, kPages * PAGE, PROT_NONE, anon | MAP_LOCKED, -1, 0);
  failed |= mprotect(p, kPages * PAGE, PROT_READ);
  read_pages(p, 0, 4);
  failed |= mprotect(p, kPages * PAGE, rw); /* locked and now writable: copied at once */
  write_pages(p, 0, kPages);
  p = mmap(base + 160 * PAGE, kPages * PAGE, PROT_NONE, anon, -1, 0);
  failed |= mlock(p, kPages * PAGE) == 0;
  failed |= raw3(kSysMlock2, (long)p, kPages * PAGE, kOnFault) != 0;
  failed |= mprotect(p, kPages * PAGE, rw);
  write_pages(p, 0, 8);
  failed |= raw3(kSysMlock2, (long)p + 4 * PAGE, 8 * PAGE, 0) != 0;
  write_pages(p, 0, kPages);
  /* Over a locked area comes an unlocked one. */
  p = mmap(base + 32 * PAGE, kPages * PAGE, rw, anon, -1, 0);
  write_pages(p, 0, kPages);
  failed |= madvise(p, kPages * PAGE, MADV_DONTNEED);
  p = mmap(base + 192 * PAGE, kPages * PAGE, PROT_WRITE, anon | MAP_LOCKED, -1, 0);
  read_pages(p, 0, kPages);
  munlockall();
  put(failed ? "wrong\n" : "done\n");
  return 0;
}
