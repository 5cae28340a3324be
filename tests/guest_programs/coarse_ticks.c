/* When the kernel's tick moves the coarse clock, counted in calls of the vDSO between two ticks: shows exactly after how
 * much of the program the kernel got the processor. Each count also chooses the page that is written. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include "support/guest.h"

enum { kTicks = 8, kPages = 256 };

static long coarse(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_nsec;
}

int main(void) {
  char* area = mmap(0, kPages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int tick = 0; tick < kTicks; ++tick) {
    const long before = coarse();
    unsigned calls = 1;
    while (coarse() == before) ++calls;
    write_byte(area + calls % kPages * PAGE, 1);
    printf("%u\n", calls);
  }
  return 0;
}
