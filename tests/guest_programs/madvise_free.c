/* F3: MADV_FREE without memory pressure: the pages stay, later reads and writes take no fault. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include "support/guest.h"

int main(void) {
  phases_begin();
  char* p = mmap(0, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  write_pages(p, 0, 64);
  int result = 0;
  PHASE("free", result = madvise(p, 64 * PAGE, MADV_FREE));
  if (result) put("MADV_FREE failed\n");
  PHASE("read", read_pages(p, 0, 64));
  PHASE("write", write_pages(p, 0, 64));
  return phases_print();
}
