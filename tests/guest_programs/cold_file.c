/* Rule M1: a file whose pages are on the disk only. Each part drops the file's pages, opens it anew (the readahead state
 * belongs to the open file) and touches pages in some order; which faults are major follows from the windows that are
 * read, 128 KiB at most, and from their marks. Argument: the data file. */
#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>

#include "support/data_file.h"

enum { kPages = 256, kBytes = kPages * PAGE };

static const char* path;
static int fd;
static char* map;
static char buffer[8 * PAGE];

/* Written back first: dirty pages are not dropped. */
static void begin(int prot, int flags) {
  fd = open(path, flags == MAP_SHARED ? O_RDWR : O_RDONLY);
  fsync(fd);
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  map = mmap(0, kBytes, prot, flags, fd, 0);
}
static void end(void) {
  munmap(map, kBytes);
  close(fd);
}
/* The disk gets the time to bring what was read ahead: how long it takes must not matter. */
static void nap(void) {
  const struct timespec time = {0, 1000000};
  nanosleep(&time, NULL);
}
static void touch(int first, int last, int step) {
  for (int page = first; page != last; page += step) {
    (void)*(volatile char*)(map + page * PAGE);
    nap();
  }
}
static void store(int first, int last, int step) {
  for (int page = first; page < last; page += step) {
    map[page * PAGE + 8] = 1;
    nap();
  }
}
static void read_at(int page, int bytes) {
  (void)!pread(fd, buffer, bytes, (off_t)page * PAGE);
  nap();
}

int main(int argc, char** argv) {
  close(open_data_file(argc, argv, O_RDONLY));
  path = argv[1];
  for (unsigned i = 0; i < sizeof buffer; i += PAGE) buffer[i] = 1;

  begin(PROT_READ, MAP_PRIVATE);
  touch(0, kPages, 1);
  end();
  begin(PROT_READ, MAP_PRIVATE);
  touch(kPages - 1, -1, -1);
  end();
  begin(PROT_READ, MAP_PRIVATE);
  touch(100, kPages - 16, 20);
  touch(7, 91, 7);
  end();
  begin(PROT_READ, MAP_SHARED);
  madvise(map, kBytes, MADV_RANDOM);
  touch(0, 24, 1);
  madvise(map, kBytes, MADV_NORMAL);
  touch(20, 60, 1);
  end();
  begin(PROT_READ, MAP_PRIVATE);
  madvise(map, kBytes, MADV_SEQUENTIAL);
  touch(40, 200, 1);
  end();
  /* Copies: each page by itself. */
  begin(PROT_READ | PROT_WRITE, MAP_PRIVATE);
  store(0, 80, 1);
  end();
  begin(PROT_READ | PROT_WRITE, MAP_SHARED);
  store(10, 70, 3);
  end();
  /* What read(2) brought in, and where its windows go on. */
  begin(PROT_READ, MAP_PRIVATE);
  read_at(0, 100);
  touch(0, kPages, 1);
  end();
  begin(PROT_READ, MAP_PRIVATE);
  for (int page = 0; page < 20; page += 2) read_at(page, 2 * PAGE);
  touch(0, kPages, 1);
  end();
  begin(PROT_READ, MAP_PRIVATE);
  read_at(10, 5 * PAGE);
  for (int page = 50; page < kPages; page += 50) read_at(page, 1000);
  touch(0, kPages, 1);
  end();
  begin(PROT_READ, MAP_PRIVATE);
  posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  read_at(30, 8 * PAGE);
  read_at(60, PAGE);
  touch(28, 70, 1);
  end();
  begin(PROT_READ, MAP_PRIVATE);
  posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  read_at(0, PAGE);
  touch(0, 128, 1);
  end();
  /* The kernel's own accesses. */
  begin(PROT_READ, MAP_PRIVATE);
  int pipes[2];
  (void)!pipe(pipes);
  for (int page = 0; page < 60; page += 10) {
    (void)!write(pipes[1], map + page * PAGE, 10);
    (void)!read(pipes[0], buffer, 10);
    nap();
  }
  end();
  begin(PROT_READ, MAP_PRIVATE);
  mlock(map + 33 * PAGE, 40 * PAGE);
  touch(0, 100, 1);
  end();
  return 0;
}
