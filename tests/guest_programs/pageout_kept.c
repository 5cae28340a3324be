/* F3, J: MADV_PAGEOUT and MADV_COLD where nothing can go, for there is no swap: anonymous memory stays mapped, shared memory
 * loses its entries but is still there, so that each page takes a fault again; what two areas have mapped stays. */
#include "support/shared_files.h"

enum { kCold = 20, kPageOut = 21, kPages = 32 };

int main(int argc, char** argv) {
  phases_begin();
  const int data = open_data_file(argc, argv, O_RDWR), memory = memory_file(kPages);
  const int rw = PROT_READ | PROT_WRITE;
  char* base = reserve_aligned(8);
  char* anon = mmap(base, kPages * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  char* shared = SHARED_RW(base + 64 * PAGE, kPages, memory, 0);
  char* twice = SHARED_RO(base + 96 * PAGE, 8, memory, 4);
  char* priv = PRIVATE_RW(base + 128 * PAGE, kPages, memory, 0);
  char* file = SHARED_RW(base + 192 * PAGE, kPages, data, 0);
  int failed = 0;
  write_pages(anon, 0, 16);
  read_pages(anon, 16, kPages);
  write_pages(shared, 0, kPages);
  write_pages(file, 0, kPages);
  PHASE("cold", failed |= madvise(anon, kPages * PAGE, kCold) | madvise(shared, kPages * PAGE, kCold) |
                          madvise(file, kPages * PAGE, kCold));
  PHASE("cold_write", write_pages(anon, 0, 16); write_pages(shared, 0, kPages); write_pages(file, 0, kPages));
  PHASE("anon", failed |= madvise(anon, kPages * PAGE, kPageOut));
  PHASE("anon_write", write_pages(anon, 0, kPages));
  read_pages(twice, 0, 8);
  PHASE("shared", failed |= madvise(shared, kPages * PAGE, kPageOut));
  PHASE("twice_read", read_pages(twice, 0, 8));
  PHASE("shared_write", write_pages(shared, 0, kPages));
  munmap(twice, 8 * PAGE);
  failed |= madvise(shared, kPages * PAGE, kPageOut);
  PHASE("shared_read", read_pages(shared, 0, kPages));
  failed |= munmap(shared, kPages * PAGE);
  read_pages(priv, 0, 24);
  write_pages(priv, 8, 16);
  PHASE("private", failed |= madvise(priv, kPages * PAGE, kPageOut));
  PHASE("private_read", read_pages(priv, 0, 24));
  PHASE("private_write", write_pages(priv, 0, 24));
  failed |= mlock(anon, 4 * PAGE);
  PHASE("locked", failed |= madvise(anon, kPages * PAGE, kPageOut) == 0);
  PHASE("locked_write", write_pages(anon, 0, kPages));
  if (failed) put("a call failed\n");
  return phases_print();
}
