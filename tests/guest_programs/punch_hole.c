/* G1, E2: holes in a memory file: the shared entries go, private copies stay, as truncation would not leave them; parts of
 * a page become zeros where they are. By fallocate and by MADV_REMOVE. */
#include "support/shared_files.h"

int main(void) {
  const int fd = memory_file(64);
  char* base = reserve_aligned(8);
  char* s = SHARED_RW(base, 64, fd, 0);
  char* p = PRIVATE_RW(base + 64 * PAGE, 64, fd, 0);
  write_pages(s, 0, 64);
  read_pages(p, 0, 64);
  write_pages(p, 8, 16);
  int failed = fallocate_pages(fd, kPunchHole | kKeepSize, 4, 24);
  read_pages(p, 0, 32);
  failed |= read_byte(p + 9 * PAGE) != 10 || read_byte(p + 20 * PAGE) != 0 || read_byte(p + 30 * PAGE) != 31;
  read_pages(s, 0, 32);
  write_pages(s, 2, 30);
  /* The last 100 bytes of page 40, all of 41, the first 100 of 42. */
  failed |= (int)raw6(kSysFallocate, fd, kPunchHole | kKeepSize, 41 * PAGE - 100, 0, PAGE + 200, 0);
  failed |= read_byte(s + 40 * PAGE) != 41 || read_byte(s + 41 * PAGE) != 0 || read_byte(s + 42 * PAGE) != 0;
  write_pages(s, 38, 44);
  failed |= madvise(s + 48 * PAGE, 8 * PAGE, MADV_REMOVE);
  failed |= madvise(p + 48 * PAGE, 8 * PAGE, MADV_REMOVE) == 0;
  read_pages(p, 32, 64);
  read_pages(s, 44, 64);
  write_pages(s, 44, 64);
  char* locked = SHARED_RW(base + 128 * PAGE, 16, fd, 0);
  failed |= mlock(locked, 16 * PAGE) || madvise(locked, 4 * PAGE, MADV_REMOVE) == 0;
  failed |= fallocate_pages(fd, kPunchHole | kKeepSize, 0, 4);
  write_pages(locked, 0, 16);
  put(failed ? "wrong\n" : "done\n");
  return 0;
}
