/* fork: a parent that has touched 32 MiB forks; each child writes to a tenth of it and exits. Arguments: forks (200),
 * MiB that the parent has mapped in the same area and never touched (0), and "idle" for children that write nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kBytes = 32 << 20, kPage = 4096 };

int main(int argc, char** argv) {
  const unsigned forks = argc > 1 ? strtoul(argv[1], 0, 10) : 200;
  const unsigned untouched = argc > 2 ? strtoul(argv[2], 0, 10) : 0;
  const unsigned step = argc > 3 ? kBytes : 10 * kPage;
  /* One area, which fork looks at because it was written to; without a reserve, for it may be larger than memory. */
  const size_t size = kBytes + ((size_t)untouched << 20);
  volatile char* memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return 1;
  for (unsigned i = 0; i < kBytes; i += kPage) memory[i] = 1;
  unsigned good = 0;
  for (unsigned i = 0; i < forks; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      for (unsigned at = 0; at < kBytes; at += step) memory[at] = 2;
      _exit(7);
    }
    int status = 0;
    good += waitpid(child, &status, 0) == child && status == 7 << 8;
  }
  printf("%u\n", good);
  return 0;
}
