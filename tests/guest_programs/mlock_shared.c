/* J: mlock of shared memory and of files: it reads, so that shared pages are made and file pages come in windows, and the
 * first store to a file page still faults. What a process has locked is unlocked in its child. */
#include "support/processes.h"
#include "support/shared_files.h"

enum { kPages = 32 };

int main(int argc, char** argv) {
  phases_begin();
  const int data = open_data_file(argc, argv, O_RDWR), memory = memory_file(kPages);
  char *base = reserve_aligned(8), *anon, *mem, *file, *priv;
  anon = mmap(base, kPages * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  mem = SHARED_RW(base + 64 * PAGE, kPages, memory, 0);
  file = SHARED_RW(base + 128 * PAGE, kPages, data, 0);
  priv = PRIVATE_RW(base + 192 * PAGE, kPages, memory, 0);
  int failed = 0;
  PHASE("anon", failed |= mlock(anon, kPages * PAGE));
  PHASE("anon_write", write_pages(anon, 0, kPages));
  write_pages(mem, 0, 8);
  PHASE("mem", failed |= mlock(mem, kPages * PAGE));
  PHASE("mem_write", write_pages(mem, 0, kPages));
  write_pages(file, 4, 8);
  PHASE("file", failed |= mlock(file, kPages * PAGE));
  PHASE("file_write", write_pages(file, 0, kPages));
  PHASE("file_sync", failed |= msync(file, kPages * PAGE, MS_SYNC); write_pages(file, 0, kPages));
  read_pages(priv, 0, 8);
  PHASE("private", failed |= mlock(priv, kPages * PAGE));
  PHASE("private_write", write_pages(priv, 0, kPages));
  PHASE("dontneed", failed |= madvise(mem, kPages * PAGE, MADV_DONTNEED) == 0);
  PHASE("dontneed_locked", failed |= madvise(mem, kPages * PAGE, 24));
  PHASE("dontneed_locked_read", read_pages(mem, 0, kPages));
  CHILD("child", PHASE("anon_read", read_pages(anon, 0, kPages)); PHASE("mem_write", write_pages(mem, 0, kPages));
        PHASE("file_write", write_pages(file, 0, kPages)); PHASE("private_write", write_pages(priv, 0, 16));
        PHASE("mlock", failed |= mlock(file, kPages * PAGE) | mlock(anon, kPages * PAGE));
        PHASE("dontneed", failed |= madvise(mem, kPages * PAGE, MADV_DONTNEED)); if (failed) put("a call failed\n"));
  PHASE("private_write", write_pages(priv, 0, kPages));
  PHASE("munlock", failed |= munlock(mem, kPages * PAGE) | munlock(file, kPages * PAGE));
  PHASE("after", write_pages(mem, 0, kPages); write_pages(file, 0, kPages));
  PHASE("munlockall", failed |= munlockall());
  PHASE("afterwards", write_pages(anon, 0, kPages); write_pages(priv, 0, kPages));
  if (failed) put("a call failed\n");
  return phases_print();
}
