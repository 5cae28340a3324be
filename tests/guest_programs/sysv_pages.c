/* D6, G1: System V shared memory: a read of an absent page makes it and maps it writable, and pages that exist are mapped
 * one by one: there is no fault-around. Attached again, read-only, after detaching, and through the calls of section J. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include "support/data_file.h"

enum { kShmget = 395, kShmctl = 396, kShmat = 397, kShmdt = 398, kPages = 256, kReadOnly = 010000, kRemap = 040000,
       kRmid = 0, kMlock = 150, kMunlock = 151 };

static char* attach(int id, char* where, int flags) { return (char*)raw3(kShmat, id, (long)where, flags); }

int main(void) {
  const int rw = PROT_READ | PROT_WRITE;
  char* base = reserve_aligned(16);
  const int id = (int)raw3(kShmget, 0, kPages * PAGE, 0600);
  char* p = attach(id, base, kRemap);
  if (p != base) put("not attached\n");
  read_pages(p, 0, 64);
  write_pages(p, 0, kPages);
  char* q = attach(id, base + (4 << 20), kRemap | kReadOnly);
  read_pages(q, 0, kPages);
  if (mprotect(q, kPages * PAGE, rw) == 0) put("written through a read-only attachment\n");
  raw3(kShmdt, (long)q, 0, 0);
  raw3(kShmdt, (long)p, 0, 0);
  /* It has kept its pages. Where the kernel likes. */
  q = attach(id, 0, 0);
  read_pages(q, 0, 40);
  write_pages(q, 20, 80);
  madvise(q, kPages * PAGE, MADV_DONTNEED);
  read_pages(q, 10, 30);
  write_pages(q, 0, 40);
  mprotect(q, 16 * PAGE, PROT_READ);
  read_pages(q, 0, 24);
  mprotect(q, 16 * PAGE, rw);
  write_pages(q, 0, 24);
  raw3(kMlock, (long)q, 100 * PAGE, 0);
  read_pages(q, 0, 110);
  raw3(kMunlock, (long)q, 100 * PAGE, 0);
  /* The pieces that mprotect and mlock have cut stay apart: from one of them, as before 6.17 mremap moves no more. */
  q = mremap(q + 20 * PAGE, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 100 * PAGE);
  if (q != base + 100 * PAGE) put("not moved\n");
  read_pages(q, 0, 64);
  /* The kernel's own accesses, and several attachments of it over each other. */
  p = attach(id, base + (8 << 20), kRemap);
  raw3(kSysWrite, -1, (long)p, 8 * PAGE);
  const int fd = open("/dev/zero", O_RDONLY);
  raw3(kSysRead, fd, (long)p, 8 * PAGE);
  write_pages(p, 0, 16);
  p = attach(id, p, kRemap);
  read_pages(p, 8, 24);
  raw3(kShmctl, id, kRmid, 0);
  p = attach(id, p, kRemap);
  write_pages(p, 4, 12);
  raw3(kShmdt, (long)p, 0, 0);
  read_pages(q, 0, 8);
  munmap(q, 64 * PAGE);
  /* Beyond the end of the segment but in its last page; and one that nobody has touched, read-only. */
  const int odd = (int)raw3(kShmget, 0, 3 * PAGE + 5, 0600);
  p = attach(odd, base, kRemap | kReadOnly);
  read_pages(p, 0, 4);
  q = attach(odd, base + 64 * PAGE, kRemap);
  write_pages(q, 0, 4);
  read_pages(p, 0, 4);
  raw3(kShmctl, odd, kRmid, 0);
  put("done\n");
  return 0;
}
