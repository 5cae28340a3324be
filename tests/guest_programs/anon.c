/* Section F and B4: anonymous memory by mmap. Read, write, both, unmapping, MAP_FIXED over, PROT_WRITE alone, and
 * which neighbours merge (F4), asked of mremap, which refuses a range of two VMAs with EFAULT. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include "support/guest.h"

enum { kPages = 64 };
static char* map(void* at, unsigned pages, int prot, int flags) {
  return mmap(at, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}
#define RW (PROT_READ | PROT_WRITE)

/* Whether [p, p + pages) is one VMA: growing it to a place elsewhere succeeds only then. */
static void report_merged(const char* name, char* p, unsigned pages) {
  char* moved = mremap(p, pages * PAGE, (pages + 1) * PAGE, MREMAP_MAYMOVE);
  put(name);
  put(moved == MAP_FAILED ? ": separate\n" : ": one VMA\n");
  if (moved != MAP_FAILED) munmap(moved, (pages + 1) * PAGE);
}

int main(void) {
  phases_begin();
  char* p;
  PHASE("mmap", p = map(0, kPages, RW, 0));
  PHASE("read", read_pages(p, 0, kPages));
  PHASE("read_again", read_pages(p, 0, kPages));
  PHASE("write_after_read", write_pages(p, 0, kPages));
  PHASE("write_again", write_pages(p, 0, kPages));
  PHASE("munmap", munmap(p, kPages * PAGE));
  PHASE("remap", p = map(0, kPages, RW, 0));
  PHASE("write_first", write_pages(p, 0, kPages));
  PHASE("read_after_write", read_pages(p, 0, kPages));
  PHASE("map_fixed_over", map(p + 16 * PAGE, 16, RW, MAP_FIXED));
  PHASE("read_around_fixed", read_pages(p, 0, kPages));
  PHASE("munmap_middle", munmap(p + 8 * PAGE, 4 * PAGE));
  PHASE("fill_hole", map(p + 8 * PAGE, 4, RW, MAP_FIXED));
  PHASE("write_filled_hole", write_pages(p, 0, kPages));
  PHASE("dontneed", madvise(p, kPages * PAGE, MADV_DONTNEED));
  PHASE("write_after_dontneed", write_pages(p, 0, kPages));
  munmap(p, kPages * PAGE);

  p = map(0, 8, PROT_WRITE, 0);
  PHASE("prot_write_read", read_pages(p, 0, 8));
  PHASE("prot_write_write", write_pages(p, 0, 8));
  p = map(0, 8, PROT_READ, 0);
  PHASE("prot_read_read", read_pages(p, 0, 8));
  p = map(0, 8, RW | PROT_EXEC, 0);
  write_byte(p, 0xc3); /* ret */
  PHASE("exec_own_code", ((void (*)(void))p)(); read_pages(p, 1, 8));
  p = map(0, 1024, RW, MAP_NORESERVE);
  PHASE("sparse", for (int i = 0; i < 1024; i += 16) write_byte(p + i * PAGE, 1));
  PHASE("page_twice", write_byte(p + PAGE, 1); write_byte(p + PAGE + 4095, 1));
  munmap(p, 1024 * PAGE);

  /* F4 */
  char* room = map(0, 64, PROT_NONE, 0);
  map(room, 4, RW, MAP_FIXED);
  map(room + 4 * PAGE, 4, RW, MAP_FIXED);
  report_merged("adjacent", room, 8);
  map(room, 64, PROT_NONE, MAP_FIXED);
  map(room, 4, RW, MAP_FIXED);
  map(room + 5 * PAGE, 4, RW, MAP_FIXED);
  report_merged("guard page between", room, 9);
  map(room, 64, PROT_NONE, MAP_FIXED);
  map(room, 4, RW, MAP_FIXED);
  map(room + 4 * PAGE, 4, PROT_READ, MAP_FIXED);
  report_merged("other rights", room, 8);
  mprotect(room + 4 * PAGE, 4 * PAGE, RW);
  report_merged("same rights by mprotect", room, 8);
  map(room, 64, PROT_NONE, MAP_FIXED);
  map(room, 4, RW, MAP_FIXED);
  map(room + 8 * PAGE, 4, RW, MAP_FIXED);
  write_byte(room, 1);
  map(room + 4 * PAGE, 4, RW, MAP_FIXED);
  report_merged("hole filled between two", room, 12);
  map(room, 64, PROT_NONE, MAP_FIXED);
  map(room, 8, RW, MAP_FIXED);
  mprotect(room + 2 * PAGE, PAGE, PROT_READ);
  report_merged("split by mprotect", room, 8);
  mprotect(room + 2 * PAGE, PAGE, RW);
  report_merged("and merged again", room, 8);
  return phases_print();
}
