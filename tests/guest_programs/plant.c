/* Says hello. Before that it touches as many pages of an area as the number after the marker says: none, until a test
 * changes that number in the file, to plant faults that a record of the unchanged program does not have. */
#include <stdio.h>
#include "support/guest.h"

static struct {
  char marker[12];
  volatile unsigned pages;
} plant = {{'P', 'L', 'A', 'N', 'T', '-', 'F', 'A', 'U', 'L', 'T', 'S'}, 0};

static volatile char area[64 * PAGE] __attribute__((aligned(4096)));

int main(void) {
  for (unsigned i = 0; i < plant.pages; ++i) area[(i + 1) * PAGE] = 1;
  return puts("hello") < 0;
}
