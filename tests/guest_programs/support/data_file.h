/* The data file that some programs map: 300 pages, each of which starts with its number (4 bytes, little endian).
 * The tests write it anew before each run, so that all of it is in the page cache. */
#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include "guest.h"

enum { kFilePages = 300 };

static inline int open_data_file(int argc, char** argv, int flags) {
  const int fd = argc > 1 ? open(argv[1], flags) : -1;
  if (fd < 0) {
    put("usage: PROGRAM DATA_FILE\n");
    raw3(kSysExit, 2, 0, 0);
  }
  return fd;
}

/* An unused range which starts at a multiple of 4 MiB: window and page-table limits become exact. */
static inline char* reserve_aligned(unsigned megabytes) {
  const uintptr_t size = (megabytes + 4) << 20;
  const uintptr_t at = (uintptr_t)mmap(0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return (char*)((at + (4u << 20) - 1) & -(4u << 20));
}

static inline unsigned page_number(const void* p) { return *(const volatile unsigned*)p; }
