/* D6: System V segments attached at rounded addresses, over and beside each other; detaching takes all pieces of an attachment
 * that munmap, mprotect and mremap have left; a segment that is to be removed goes with the last of them. */
#include "support/shared_files.h"

enum { kShmget = 395, kShmctl = 396, kShmat = 397, kShmdt = 398, kReadOnly = 010000, kRound = 020000, kRemap = 040000,
       kExec = 0100000, kRmid = 0, kPages = 48 };

static char* attach(int id, char* where, int flags) { return (char*)raw3(kShmat, id, (long)where, flags); }
static long detach(char* at) { return raw3(kShmdt, (long)at, 0, 0); }

int main(void) {
  const int rw = PROT_READ | PROT_WRITE;
  char* base = reserve_aligned(8);
  munmap(base, 8 << 20);
  const int id = (int)raw3(kShmget, 0, kPages * PAGE, 0700), other = (int)raw3(kShmget, 0, 8 * PAGE, 0600);
  int failed = attach(id, base + 100, 0) != (char*)-22;
  char* p = attach(id, base + 100, kRound);
  failed |= p != base;
  write_pages(p, 0, 24);
  failed |= attach(other, base + 8 * PAGE, 0) != (char*)-22; /* something is there, and no SHM_REMAP */
  char* q = attach(other, base + 8 * PAGE, kRemap);
  write_pages(q, 0, 8);
  write_pages(p, 0, kPages);
  munmap(p + 20 * PAGE, 4 * PAGE);
  failed |= mprotect(p + 30 * PAGE, 4 * PAGE, PROT_READ);
  write_pages(p, 34, kPages);
  raw3(kShmctl, id, kRmid, 0);
  /* Five pieces, one beginning in the middle: all but the other segment's go. */
  failed |= (int)detach(p);
  read_pages(q, 0, 8);
  failed |= detach(p) != -22;
  p = attach(id, base, 0);
  failed |= p != (char*)-22 && p != (char*)-43;
  failed |= (int)detach(q);
  q = attach(other, base + 64 * PAGE, kExec | kReadOnly);
  failed |= q != (char*)-13 && q != base + 64 * PAGE;
  q = attach(other, base + 80 * PAGE, 0);
  read_pages(q, 0, 8);
  q = mremap(q, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 96 * PAGE);
  write_pages(q, 0, 8);
  char* twin = mremap(q, 0, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 112 * PAGE);
  read_pages(twin, 0, 8);
  failed |= (int)detach(q);
  write_pages(twin, 0, 8);
  raw3(kShmctl, other, kRmid, 0);
  failed |= madvise(twin, 8 * PAGE, MADV_DONTNEED);
  write_pages(twin, 4, 8);
  failed |= mprotect(twin, 8 * PAGE, PROT_NONE) | mprotect(twin, 8 * PAGE, rw);
  write_pages(twin, 0, 8);
  failed |= madvise(twin, 4 * PAGE, MADV_REMOVE) != 0;
  write_pages(twin, 0, 8);
  failed |= (int)detach(twin);
  put(failed ? "wrong\n" : "done\n");
  return 0;
}
