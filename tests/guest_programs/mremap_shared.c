/* J, G1: mremap of shared memory: entries move along, a longer mapping of the same file sees more of it and SIGBUS beyond
 * its end, old size 0 makes a second mapping, which has no entries yet; over other areas, and back. */
#include "support/shared_files.h"

static char* move(char* from, unsigned pages, unsigned new_pages, char* to) {
  return mremap(from, pages * PAGE, new_pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

int main(int argc, char** argv) {
  expect_bus_errors();
  const int data = open_data_file(argc, argv, O_RDWR), memory = memory_file(48);
  char* base = reserve_aligned(8);
  munmap(base, 8 << 20);
  char* s = SHARED_RW(base, 16, memory, 8);
  write_pages(s, 0, 8);
  int failed = mremap(s, 16 * PAGE, 32 * PAGE, 0) != s; /* in place */
  read_pages(s, 0, 24);
  write_pages(s, 16, 32);
  failed |= mremap(s, 32 * PAGE, 48 * PAGE, 0) != s;
  read_pages(s, 30, 40);
  read_beyond(s + 40 * PAGE);
  failed |= mremap(s, 48 * PAGE, 20 * PAGE, 0) != s;
  write_pages(s, 0, 20);
  char* other = mmap(base + 64 * PAGE, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  write_pages(other, 0, 32);
  s = move(s, 20, 20, other + 5 * PAGE);
  write_pages(s, 0, 20);
  write_pages(other, 0, 5);
  write_pages(other, 25, 32);
  char* twin = move(s, 0, 40, base + 128 * PAGE);
  read_pages(twin, 0, 40);
  read_pages(s, 0, 20);
  failed |= mremap(other, 0, 4 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED; /* private: refused */
  /* A part of a file's pages, dirty and not, to another place modulo 16 pages. */
  char* f = SHARED_RW(base + 192 * PAGE, 32, data, 0);
  read_pages(f, 0, 20);
  write_pages(f, 4, 8);
  f = move(f, 32, 32, base + 233 * PAGE);
  write_pages(f, 0, 8);
  read_pages(f, 0, 32);
  failed |= msync(f, 32 * PAGE, MS_SYNC);
  char* g = move(f + 4 * PAGE, 8, 8, base + 300 * PAGE);
  write_pages(g, 0, 8);
  char* h = move(g, 0, 8, f + 4 * PAGE);
  read_pages(h, 0, 8);
  write_pages(h, 0, 8);
  char* a = mmap(base + 400 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  write_pages(a, 0, 8);
  a = move(a, 8, 16, base + 420 * PAGE);
  write_pages(a, 0, 8);
  write_beyond(a + 8 * PAGE);
  failed |= read_byte(h + PAGE) != 2 || read_byte(a + 7 * PAGE) != 8;
  put(!failed && bus_errors == 2 ? "done\n" : "wrong\n");
  return 0;
}
