/* I1, N4: stdio on files: reading a file by line and by block, seeking, ungetc, setvbuf; buffers by malloc and on the
 * stack. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  FILE* file = fopen(argv[1], "rb");
  if (!file) return 3;
  static char block[10000];
  unsigned long sum = 0;
  for (int i = 0; i < 20; ++i) sum += fread(block, 1, (size_t)i * 400 + 1, file) + (unsigned char)block[0];
  fseek(file, 100 * 4096, SEEK_SET);
  const int c = fgetc(file);
  ungetc(c, file);
  sum += (unsigned)fgetc(file);
  rewind(file);
  char buffer[16384];
  FILE* second = fopen(argv[1], "rb");
  setvbuf(second, buffer, _IOFBF, sizeof buffer);
  char* line = fgets(block, 300, second);
  sum += line ? strlen(line) : 0;
  fclose(second);
  fclose(file);
  setvbuf(stdout, 0, _IOLBF, 0);
  printf("%lu\n", sum);
  fprintf(stderr, "to stderr\n");
  return 0;
}
