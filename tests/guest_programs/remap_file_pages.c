/* J, N2: remap_file_pages puts other pages of the file into a shared mapping: since 4.0 it maps them anew and populates them,
 * by reads, so that memory that nobody had touched is made, and file pages come in windows. */
#include "support/shared_files.h"

enum { kSysRemapFilePages = 257, kPages = 32 };

static long remap(char* p, unsigned pages, unsigned to, int flags) {
  return raw6(kSysRemapFilePages, (long)p, pages * (long)PAGE, 0, to, flags, 0);
}

int main(int argc, char** argv) {
  const int data = open_data_file(argc, argv, O_RDWR), memory = memory_file(64);
  char* base = reserve_aligned(8);
  char* s = SHARED_RW(base, kPages, memory, 0);
  write_pages(s, 0, kPages);
  int failed = remap(s, 1, 31, 0) | remap(s + 31 * PAGE, 1, 0, 0); /* the ends change places */
  failed |= read_byte(s) != 32 || read_byte(s + 31 * PAGE) != 1;
  write_pages(s, 0, kPages);
  failed |= remap(s + 8 * PAGE, 8, 40, 0); /* pages that do not exist yet */
  write_pages(s, 0, kPages);
  failed |= remap(s + 16 * PAGE, 4, 50, MAP_NONBLOCK);
  write_pages(s, 12, 24);
  char* f = SHARED_RW(base + 64 * PAGE, kPages, data, 0);
  read_pages(f, 0, 4);
  write_pages(f, 0, 2);
  failed |= remap(f, 20, 100, 0);
  read_pages(f, 0, kPages);
  write_pages(f, 0, 24);
  failed |= page_number(f + 30 * PAGE) != 30 || page_number(f + 19 * PAGE + 4) != 0;
  char* locked = SHARED_RW(base + 128 * PAGE, kPages, memory, 0);
  failed |= mlock(locked, kPages * PAGE);
  failed |= remap(locked + 4 * PAGE, 4, 56, MAP_NONBLOCK);
  write_pages(locked, 0, kPages);
  char* priv = PRIVATE_RW(base + 192 * PAGE, kPages, memory, 0);
  failed |= remap(priv, 1, 2, 0) != -22 || remap(s, 1, 0, 0x10000) != 0 || remap(s + 28 * PAGE, 8, 0, 0) != -22;
  write_pages(s, 0, kPages);
  put(failed ? "wrong\n" : "done\n");
  return 0;
}
