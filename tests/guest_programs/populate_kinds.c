/* J: MADV_POPULATE_READ and _WRITE on shared memory, shared files and private mappings of both, over pages that are partly
 * there, and where it cannot go on: the end of the file, a hole, an area without the right. */
#include "support/shared_files.h"

enum { kRead = 22, kWrite = 23, kPages = 32 };

int main(int argc, char** argv) {
  phases_begin();
  const int data = open_data_file(argc, argv, O_RDWR), memory = memory_file(kPages);
  const int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  char *base = reserve_aligned(8), *p;
  int failed = 0, refused = 0;
  p = mmap(base, kPages * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  write_pages(p, 4, 8);
  PHASE("shared_anon_read", failed |= madvise(p, kPages * PAGE, kRead));
  PHASE("shared_anon_write", write_pages(p, 0, kPages));
  p = SHARED_RO(base + 32 * PAGE, kPages, memory, 0);
  PHASE("mem_ro_read", failed |= madvise(p, 16 * PAGE, kRead));
  PHASE("mem_ro_write", refused += madvise(p, 16 * PAGE, kWrite) != 0);
  p = PRIVATE_RW(base + 64 * PAGE, kPages, memory, 0);
  PHASE("mem_private_read", failed |= madvise(p, kPages * PAGE, kRead));
  PHASE("mem_private_write", failed |= madvise(p, kPages * PAGE, kWrite));
  PHASE("mem_private_write_again", write_pages(p, 0, kPages));
  p = SHARED_RW(base + 96 * PAGE, kPages, data, 0);
  write_pages(p, 20, 24);
  PHASE("file_read", failed |= madvise(p, kPages * PAGE, kRead));
  PHASE("file_write", failed |= madvise(p, kPages * PAGE, kWrite));
  PHASE("file_written", write_pages(p, 0, kPages));
  p = SHARED_RW(base + 128 * PAGE, kPages, data, 64);
  PHASE("file_write_first", failed |= madvise(p, kPages * PAGE, kWrite));
  p = PRIVATE_RW(base + 160 * PAGE, kPages, data, 0);
  write_pages(p, 3, 6);
  PHASE("private_read", failed |= madvise(p, kPages * PAGE, kRead));
  PHASE("private_write", failed |= madvise(p, kPages * PAGE, kWrite));
  p = SHARED_RW(base + 192 * PAGE, kPages, data, kFilePages - 8);
  PHASE("beyond_read", refused += madvise(p, kPages * PAGE, kRead) != 0);
  PHASE("beyond_write", refused += madvise(p, kPages * PAGE, kWrite) != 0);
  p = mmap(base + 224 * PAGE, kPages * PAGE, rw, anon, -1, 0);
  munmap(p + 8 * PAGE, 8 * PAGE);
  mprotect(p + 24 * PAGE, 8 * PAGE, PROT_NONE);
  PHASE("hole", refused += madvise(p, kPages * PAGE, kWrite) != 0);
  PHASE("no_right", refused += madvise(p + 16 * PAGE, 16 * PAGE, kRead) != 0);
  PHASE("rest", write_pages(p, 0, 8); write_pages(p, 16, 24));
  p = mmap(base + 256 * PAGE, kPages * PAGE, PROT_WRITE, anon, -1, 0);
  PHASE("write_only", refused += madvise(p, 16 * PAGE, kRead) != 0);
  PHASE("write_only_write", failed |= madvise(p, 16 * PAGE, kWrite));
  PHASE("map_shared", p = mmap(base + 288 * PAGE, kPages * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, memory, 0));
  PHASE("map_private", p = mmap(base + 320 * PAGE, kPages * PAGE, rw, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, memory, 0));
  PHASE("map_beyond", p = mmap(base + 352 * PAGE, kPages * PAGE, rw, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, data,
                               (kFilePages - 8) * PAGE));
  if (failed) put("a call failed\n");
  phases_print();
  put(refused == 6 ? "refused as they should be\n" : "wrong\n");
  return 0;
}
