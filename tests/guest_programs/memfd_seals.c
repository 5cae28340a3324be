/* G1, J: a memory file that is sealed: against writing (then a shared mapping for reading is refused by older kernels),
 * against future writing (mappings that are there go on), against shrinking and growing. */
#include "support/shared_files.h"

enum { kAllowSealing = 2, kAddSeals = 1033, kSealShrink = 2, kSealGrow = 4, kSealWrite = 8, kSealFuture = 16, kPages = 32 };

static int sealable(void) {
  const int fd = (int)raw3(kSysMemfdCreate, (long)"sealed", kAllowSealing, 0);
  return fd < 0 || set_pages(fd, kPages) ? -1 : fd;
}

int main(void) {
  char* base = reserve_aligned(8);
  const int rw = PROT_READ | PROT_WRITE;
  int failed = 0, fd = sealable();
  char* s = SHARED_RW(base, kPages, fd, 0);
  write_pages(s, 0, 16);
  failed |= fcntl(fd, kAddSeals, kSealWrite) == 0; /* it is mapped writable */
  failed |= fcntl(fd, kAddSeals, kSealFuture);
  write_pages(s, 8, 24);
  failed |= SHARED_RW(base + 64 * PAGE, kPages, fd, 0) != MAP_FAILED;
  char* r = SHARED_RO(base + 64 * PAGE, kPages, fd, 0);
  read_pages(r, 0, kPages);
  failed |= mprotect(r, kPages * PAGE, rw) == 0;
  char* p = PRIVATE_RW(base + 128 * PAGE, kPages, fd, 0);
  write_pages(p, 0, 8);
  failed |= (int)write(fd, "x", 1) != -1 || fallocate_pages(fd, kPunchHole | kKeepSize, 0, 4) == 0;
  munmap(s, kPages * PAGE);
  munmap(r, kPages * PAGE);
  failed |= fcntl(fd, kAddSeals, kSealWrite | kSealShrink);
  failed |= set_pages(fd, 8) == 0 || set_pages(fd, kPages + 8) != 0;
  read_pages(p, 0, kPages);
  write_pages(p, 4, kPages);
  r = SHARED_RO(base + 192 * PAGE, kPages, fd, 0);
  if (r == MAP_FAILED) {
    put("a sealed file cannot be mapped shared\n");
    mmap(base + 192 * PAGE, kPages * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
    r = base + 192 * PAGE;
  } else {
    put("a sealed file is mapped shared\n");
    failed |= mprotect(r, kPages * PAGE, rw) == 0;
  }
  read_pages(r, 0, kPages);
  fd = sealable();
  failed |= fcntl(fd, kAddSeals, kSealGrow);
  s = SHARED_RW(base + 256 * PAGE, kPages + 8, fd, 0);
  expect_bus_errors();
  write_pages(s, 20, kPages);
  failed |= set_pages(fd, kPages + 8) == 0;
  write_beyond(s + kPages * PAGE);
  failed |= set_pages(fd, 24) || set_pages(fd, kPages) == 0;
  write_pages(s, 16, 24);
  put(!failed && bus_errors == 1 ? "done\n" : "wrong\n");
  return 0;
}
