/* J, G: PROT_NONE over touched pages of each kind and back: entries stay without rights, so neither fault-around nor
 * populating replaces them; what they may do afterwards is decided by whose page it is and whether it was dirty. */
#include "support/processes.h"
#include "support/shared_files.h"

enum { kPages = 24 };
static int failed;

static void close_and_open(char* p, int prot) {
  failed |= mprotect(p + 4 * PAGE, 12 * PAGE, PROT_NONE);
  failed |= madvise(p + 4 * PAGE, 12 * PAGE, 22) == 0; /* MADV_POPULATE_READ */
  read_pages(p, 0, 4);
  read_pages(p, 16, kPages);
  failed |= mprotect(p + 4 * PAGE, 12 * PAGE, prot);
}

int main(int argc, char** argv) {
  phases_begin();
  const int data = open_data_file(argc, argv, O_RDWR), memory = memory_file(kPages);
  char* base = reserve_aligned(8);
  char* anon = mmap(base, kPages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  char* s = SHARED_RW(base + 32 * PAGE, kPages, memory, 0);
  char* file = SHARED_RW(base + 64 * PAGE, kPages, data, 0);
  char* priv = PRIVATE_RW(base + 96 * PAGE, kPages, data, 32);
  write_pages(anon, 0, 8);
  read_pages(anon, 8, 12);
  close_and_open(anon, RW);
  PHASE("anon_read", read_pages(anon, 0, kPages));
  PHASE("anon_write", write_pages(anon, 0, kPages));
  write_pages(s, 0, 8);
  close_and_open(s, PROT_READ);
  PHASE("shared_read", read_pages(s, 0, kPages));
  failed |= mprotect(s, kPages * PAGE, RW);
  PHASE("shared_write", write_pages(s, 0, kPages));
  read_byte(file + 10 * PAGE);
  write_pages(file, 4, 8);
  close_and_open(file, RW);
  PHASE("file_read", read_pages(file, 0, kPages));
  PHASE("file_write", write_pages(file, 0, kPages));
  failed |= mprotect(file, kPages * PAGE, PROT_NONE) | msync(file, kPages * PAGE, MS_SYNC);
  failed |= mprotect(file, kPages * PAGE, RW);
  PHASE("synced_closed", write_pages(file, 0, kPages));
  write_pages(priv, 6, 8);
  read_byte(priv + 2 * PAGE);
  close_and_open(priv, RW);
  PHASE("private_read", read_pages(priv, 0, kPages));
  PHASE("private_write", write_pages(priv, 0, kPages));
  failed |= mprotect(anon, kPages * PAGE, PROT_NONE) | mprotect(priv, kPages * PAGE, PROT_NONE);
  CHILD("child", failed |= mprotect(anon, kPages * PAGE, RW) | mprotect(priv, kPages * PAGE, PROT_READ);
        PHASE("anon", write_pages(anon, 0, 12)); PHASE("private", read_pages(priv, 0, kPages)));
  failed |= mprotect(anon, kPages * PAGE, RW) | mprotect(priv, kPages * PAGE, RW);
  PHASE("anon_after", write_pages(anon, 0, kPages));
  PHASE("private_after", write_pages(priv, 0, kPages));
  if (failed) put("a call failed\n");
  return phases_print();
}
