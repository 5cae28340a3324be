/* C4: the stack by deep recursion, by a large frame touched from its low end, and again after it was left. */
#include <alloca.h>
#include "support/guest.h"

static NOINLINE int down(int depth) {
  volatile char room[700];
  room[0] = (char)depth;
  return depth == 0 ? room[0] : down(depth - 1) + room[0] - (char)depth + 1;
}
static NOINLINE void large_frame(void) {
  char room[50 * PAGE];
  write_byte(room, 1);
  write_byte(room + 20 * PAGE, 1);
  (void)read_byte(room + 30 * PAGE);
  write_byte(room + 30 * PAGE, 1);
  __asm__ volatile("" : : "r"(room) : "memory");
}

int main(void) {
  const int depth = down(300);
  large_frame();
  large_frame();
  for (int pages = 1; pages <= 64; pages *= 2) write_byte(alloca((unsigned)pages * PAGE), 1);
  put(depth == 300 && down(500) == 500 ? "done\n" : "wrong\n");
  return 0;
}
