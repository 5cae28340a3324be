/* The reference program of the published fault list. */
#include <stdio.h>
int main(void) {
  printf("hello\n");
  return 0;
}
