/* system and popen, which start /bin/sh: they work only where that is an i386 program. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(void) {
  int status = system("echo system; exit 5");
  printf("status %d\n", WEXITSTATUS(status));
  FILE* in = popen("echo one; echo two", "r");
  char line[100];
  while (in && fgets(line, sizeof line, in)) printf("read %s", line);
  printf("status %d\n", in ? pclose(in) : -1);
  fflush(stdout);
  FILE* out = popen("sort", "w");
  if (out) fputs("b\na\n", out);
  printf("status %d\n", out ? pclose(out) : -1);
  printf("shell %d\n", system(0) != 0);
  return system("kill -TERM $$") == 15 ? 0 : 1;
}
