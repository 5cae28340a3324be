/* G2: what makes a shared file page clean, so that its next write faults again: MS_SYNC, fsync, fdatasync and
 * sync_file_range do, of the pages that they cover and in all mappings of the file; MS_ASYNC and MS_INVALIDATE do not. */
#include "support/shared_files.h"

enum { kSysSyncFileRange = 314, kWaitBefore = 1, kWrite = 2, kWaitAfter = 4 };

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDWR);
  char* base = reserve_aligned(8);
  char* s = SHARED_RW(base, 64, fd, 0);
  char* t = SHARED_RW(base + 64 * PAGE, 32, fd, 16);
  write_pages(s, 0, 64);
  write_pages(t, 0, 32);
  int failed = msync(s, 64 * PAGE, MS_ASYNC);
  write_pages(s, 0, 64);
  failed |= msync(s, 64 * PAGE, MS_INVALIDATE) || msync(s, 64 * PAGE, MS_INVALIDATE | MS_ASYNC);
  write_pages(s, 0, 64);
  failed |= msync(s + 8 * PAGE, 16 * PAGE, MS_SYNC | MS_INVALIDATE);
  read_pages(s, 0, 64);
  write_pages(s, 0, 64);
  write_pages(t, 0, 32);
  failed |= msync(s, 64 * PAGE, MS_SYNC | MS_ASYNC) == 0 || msync(s + 1, PAGE, MS_SYNC) == 0;
  failed |= fsync(fd);
  write_pages(s, 10, 20);
  write_pages(t, 0, 32);
  failed |= fdatasync(fd);
  write_pages(t, 4, 8);
  write_pages(s, 18, 30);
  failed |= (int)raw6(kSysSyncFileRange, fd, 20 * PAGE, 0, 4 * PAGE, 0, kWaitBefore | kWrite | kWaitAfter);
  write_pages(s, 18, 30);
  write_pages(t, 0, 12);
  /* A hole: the areas on both sides are written all the same. */
  munmap(s + 30 * PAGE, 4 * PAGE);
  failed |= msync(s + 16 * PAGE, 32 * PAGE, MS_SYNC) == 0;
  write_pages(s, 16, 30);
  write_pages(s, 34, 50);
  failed |= mlock(s, 8 * PAGE) || msync(s, 16 * PAGE, MS_INVALIDATE) == 0 || msync(s, 16 * PAGE, MS_SYNC);
  write_pages(s, 0, 16);
  put(failed ? "wrong\n" : "done\n");
  return 0;
}
