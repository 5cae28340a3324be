/* A2: process_vm_readv and _writev of one's own pages: the remote side is had by get_user_pages, the local side faults. */
#define _GNU_SOURCE
#include <sys/uio.h>
#include "support/data_file.h"

static long transfer(long number, void* local, void* remote, unsigned pages, long pid) {
  const struct iovec here = {local, pages * PAGE}, there = {remote, pages * PAGE};
  return raw6(number, pid, (long)&here, 1, (long)&there, 1, 0);
}

int main(int argc, char** argv) {
  enum { kReadv = 347, kWritev = 348 };
  const int fd = open_data_file(argc, argv, O_RDONLY);
  const int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  const long pid = raw3(20, 0, 0, 0);
  char* base = reserve_aligned(8);
  char* p = mmap(base, 64 * PAGE, rw, anon, -1, 0);
  char* file = mmap(base + 128 * PAGE, 64 * PAGE, rw, MAP_PRIVATE | MAP_FIXED, fd, 0);
  char* shared = mmap(base + 256 * PAGE, 16 * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  long sum = transfer(kReadv, p, p + 32 * PAGE, 8, pid);
  sum += transfer(kWritev, p + 8 * PAGE, p + 40 * PAGE, 8, pid);
  sum += transfer(kReadv, p + 16 * PAGE, file, 24, pid);
  sum += transfer(kWritev, p, file + 32 * PAGE, 8, pid);
  sum += transfer(kReadv, p, shared, 8, pid);
  sum += transfer(kWritev, p, shared + 4 * PAGE, 8, pid);
  write_pages(p, 0, 64);
  write_pages(file, 0, 64);
  write_pages(shared, 0, 16);
  put(sum == 64 * (long)PAGE ? "done\n" : "wrong\n");
  return 0;
}
