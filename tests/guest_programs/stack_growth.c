/* Rule C4: the stack VMA grows on any access below it, down to the limit, and nothing in between is mapped. */
#include "support/guest.h"

int main(void) {
  phases_begin();
  char here;
  char* top = (char*)((uintptr_t)&here & -PAGE);
  PHASE("1000_pages_below", write_byte(top - 1000 * PAGE, 1));
  PHASE("read_999_below", (void)read_byte(top - 999 * PAGE));
  PHASE("in_between", for (int i = 100; i < 164; ++i) write_byte(top - i * PAGE, 1));
  PHASE("read_zero_page", for (int i = 200; i < 232; ++i)(void) read_byte(top - i * PAGE));
  PHASE("write_after_read", for (int i = 200; i < 232; ++i) write_byte(top - i * PAGE, 1));
  char* below = top - 1200 * PAGE;
  PHASE("push_grows", __asm__ volatile("xchgl %%esp, %0\n\tpushl $1\n\tpopl %%eax\n\txchgl %%esp, %0"
                                       : "+r"(below)
                                       :
                                       : "eax", "memory"));
  PHASE("rmw_grows", __asm__ volatile("incl (%0)" : : "r"(top - 1300 * PAGE) : "memory"));
  PHASE("downwards", for (int i = 1301; i < 1333; ++i) write_byte(top - i * PAGE, 1));
  return phases_print();
}
