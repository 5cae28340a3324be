/* Section J, mlock: populates by get_user_pages; on zero pages it breaks the sharing. mlockall(MCL_FUTURE) populates
 * later mappings and brk. 32 pages each: the usual limit of locked memory is 8 MiB, sometimes 64 KiB. */
#define _GNU_SOURCE
#include "support/data_file.h"

int main(int argc, char** argv) {
  phases_begin();
  const int fd = open_data_file(argc, argv, O_RDONLY);
  char *base = reserve_aligned(8), *p;
  const int anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, rw = PROT_READ | PROT_WRITE;
  int failed = 0;
  p = mmap(base, 32 * PAGE, rw, anon, -1, 0);
  PHASE("untouched", failed |= mlock(p, 32 * PAGE));
  PHASE("untouched_write", write_pages(p, 0, 32));
  PHASE("munlock", failed |= munlock(p, 32 * PAGE));
  PHASE("munlock_write", write_pages(p, 0, 32));
  p = mmap(base, 32 * PAGE, rw, anon, -1, 0);
  read_pages(p, 0, 32);
  PHASE("zero_pages", failed |= mlock(p, 32 * PAGE));
  PHASE("zero_pages_write", write_pages(p, 0, 32));
  munlock(p, 32 * PAGE);
  p = mmap(base, 32 * PAGE, rw, anon, -1, 0);
  write_pages(p, 0, 32);
  PHASE("written", failed |= mlock(p, 32 * PAGE));
  munlock(p, 32 * PAGE);
  p = mmap(base, 32 * PAGE, PROT_READ, anon, -1, 0);
  PHASE("read_only", failed |= mlock(p, 32 * PAGE));
  munlock(p, 32 * PAGE);
  p = mmap(base, 32 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
  PHASE("file_ro", failed |= mlock(p, 32 * PAGE));
  PHASE("file_ro_read", read_pages(p, 0, 32));
  munlock(p, 32 * PAGE);
  p = mmap(base, 32 * PAGE, rw, MAP_PRIVATE | MAP_FIXED, fd, 0);
  PHASE("file_rw", failed |= mlock(p, 32 * PAGE));
  PHASE("file_rw_write", write_pages(p, 0, 32));
  munlock(p, 32 * PAGE);
  mmap(base, 32 * PAGE, PROT_NONE, anon, -1, 0);
  char* heap = (char*)(((uintptr_t)raw3(45, 0, 0, 0) + PAGE - 1) & -PAGE);
  raw3(45, (long)heap, 0, 0);
  PHASE("mlockall_future", failed |= mlockall(MCL_FUTURE));
  PHASE("future_mmap", p = mmap(base, 32 * PAGE, rw, anon, -1, 0));
  PHASE("future_mmap_write", write_pages(p, 0, 32));
  PHASE("future_mmap_none", mmap(base + 64 * PAGE, 32 * PAGE, PROT_NONE, anon, -1, 0));
  PHASE("future_brk", raw3(45, (long)heap + 32 * (long)PAGE, 0, 0));
  PHASE("future_brk_write", write_pages(heap, 0, 32));
  PHASE("munlockall", failed |= munlockall());
  if (failed) put("a call failed\n");
  return phases_print();
}
