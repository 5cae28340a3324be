/* D, N4: much of libc's code: numbers, floating point, strings, wide characters, buffering; how text pages fault. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static int compare(const void* a, const void* b) { return strcmp(*(char* const*)a, *(char* const*)b); }

int main(int argc, char** argv) {
  (void)argv;
  char text[200];
  snprintf(text, sizeof text, "%d %5.3f %g %s %lx %lld %c %%", argc * 42, argc * 3.25, argc * 1e-7, "text", 0xbeefUL,
           123456789012LL, 'c');
  puts(text);
  printf("%ld %lu %.3f\n", strtol("-77", 0, 10), strtoul("ff", 0, 16), strtod("2.5e3", 0));
  const char* words[] = {"pear", "apple", "fig", "quince", "date", "lime"};
  qsort(words, 6, sizeof words[0], compare);
  for (int i = 0; i < 6; ++i) fputs(words[i], stdout), putchar(i < 5 ? ' ' : '\n');
  printf("%ls %zu\n", L"wide", wcslen(L"wide"));
  char copy[100], *state;
  strcpy(copy, "a,b;c");
  for (char* part = strtok_r(copy, ",;", &state); part; part = strtok_r(0, ",;", &state)) printf("[%s]", part);
  printf(" %s %s %p\n", strstr("haystack", "st"), strrchr("a/b/c", '/'), memchr("abc", 'z', 3));
  int a, b;
  sscanf("12 34", "%d %d", &a, &b);
  printf("%d %s\n", a + b, getenv("A"));
  return 0;
}
