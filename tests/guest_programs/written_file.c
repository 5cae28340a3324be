/* D3: a file that the program writes itself, in pieces of 4 KiB, 64 KiB and 1 MiB, and then maps. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "support/data_file.h"

int main(int argc, char** argv) {
  const int fd = open_data_file(argc, argv, O_RDWR | O_TRUNC);
  static char buffer[1 << 20];
  const unsigned chunk = argc > 2 ? (unsigned)atoi(argv[2]) : 4096;
  memset(buffer, 1, sizeof buffer);
  for (unsigned at = 0; at < 1 << 20; at += chunk) {
    if (write(fd, buffer, chunk) != (ssize_t)chunk) return 3;
  }
  char* base = reserve_aligned(8);
  char* p = mmap(base, 256 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
  for (unsigned i = 3; i < 256; i += 40) (void)read_byte(p + i * PAGE);
  read_pages(p, 0, 256);
  p = mmap(base + 256 * PAGE, 256 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);
  write_pages(p, 100, 120);
  read_pages(p, 0, 256);
  put("done\n");
  return 0;
}
