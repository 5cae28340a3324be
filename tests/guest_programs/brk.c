/* Rule F2: brk grows and shrinks without faults and without prefaulting; pages given back fault again. Raw brk, so that
 * no allocator stands between. The start of the heap is rounded up: the first partial page may hold libc's data. */
#include "support/guest.h"

static char* set_brk(void* to) { return (char*)raw3(45, (long)to, 0, 0); }

int main(void) {
  phases_begin();
  char* start = (char*)(((uintptr_t)set_brk(0) + PAGE - 1) & -PAGE);
  set_brk(start);
  PHASE("grow", set_brk(start + 64 * PAGE));
  PHASE("write", write_pages(start, 0, 64));
  PHASE("shrink", set_brk(start + 32 * PAGE));
  PHASE("grow_again", set_brk(start + 64 * PAGE));
  PHASE("read_all", read_pages(start, 0, 64));
  PHASE("write_all", write_pages(start, 0, 64));
  PHASE("grow_by_bytes", set_brk(start + 64 * PAGE + 100));
  PHASE("write_tail", write_byte(start + 64 * PAGE, 1));
  PHASE("grow_in_page", set_brk(start + 64 * PAGE + 4000));
  PHASE("write_in_page", write_byte(start + 64 * PAGE + 3999, 1));
  PHASE("shrink_in_page", set_brk(start + 64 * PAGE + 1));
  PHASE("write_first_byte", write_byte(start + 64 * PAGE, 1));
  PHASE("shrink_to_start", set_brk(start));
  PHASE("grow_last", set_brk(start + 16 * PAGE));
  PHASE("rmw", for (int i = 0; i < 16; ++i) __asm__ volatile("incl (%0)" : : "r"(start + i * PAGE) : "memory"));
  if (set_brk(start + 16 * PAGE) != start + 16 * PAGE) put("brk moved\n");
  if (set_brk((void*)1) != start + 16 * PAGE) put("brk below the heap accepted\n");
  return phases_print();
}
