/* J: calls that are refused change nothing: mmap at a bad address, beyond the limits, with overflowing lengths; the
 * heap into another mapping; MAP_FIXED_NOREPLACE; the rest works on. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/resource.h>
#include "support/data_file.h"

enum { kNoReplace = 0x100000 };
static char results[4096], *out = results;
static void note(long result) { out = put_number(out, result < 0 && result > -4096 ? result : 0), *out++ = ' '; }
static long map(long at, unsigned long size, int prot, int flags) {
  return raw6(192, at, (long)size, prot, flags | MAP_ANONYMOUS, -1, 0);
}

int main(void) {
  const int rw = PROT_READ | PROT_WRITE;
  note(map(0, 0, rw, MAP_PRIVATE));
  note(map(0, 0xfffff001u, rw, MAP_PRIVATE));
  note(map(0, 0xfffff000u, rw, MAP_PRIVATE));
  note(map(1, PAGE, rw, MAP_PRIVATE | MAP_FIXED));
  note(map(0x10000000, PAGE, rw, 0));
  char* p = (char*)map(0x20000000, 8 * PAGE, rw, MAP_PRIVATE | kNoReplace);
  note(map(0x20004000, 8 * PAGE, rw, MAP_PRIVATE | kNoReplace));
  write_pages(p, 0, 8);
  note(raw3(91, (long)p + 1, PAGE, 0));            /* munmap unaligned */
  note(raw3(125, (long)p, 100 * PAGE, PROT_READ)); /* mprotect into a hole: the first part is done */
  note(raw3(125, (long)p, 8 * PAGE, rw));
  write_pages(p, 0, 8);
  note(raw3(219, (long)p, 8 * PAGE, 999));               /* madvise */
  note(raw6(163, (long)p, 8 * PAGE, 4 * PAGE, 4, 0, 0)); /* mremap with bad flags */
  const struct rlimit data = {1 << 20, 1 << 20};
  setrlimit(RLIMIT_DATA, &data);
  const long heap = raw3(45, 0, 0, 0);
  note(raw3(45, heap + (8 << 20), 0, 0) - heap == 8 << 20);
  note(map(0, 8 << 20, rw, MAP_PRIVATE));
  const struct rlimit space = {16 << 20, 16 << 20};
  setrlimit(RLIMIT_AS, &space);
  note(map(0, 32 << 20, PROT_READ, MAP_PRIVATE));
  write_pages(p, 0, 8);
  *out++ = '\n';
  put(results);
  return 0;
}
