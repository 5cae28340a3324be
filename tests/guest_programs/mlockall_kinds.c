/* J: mlockall(MCL_CURRENT) populates every area that there is, the program's own, the stack's untouched pages and the vDSO
 * too; one that may not be read is passed over. With MCL_ONFAULT it populates none. */
#include "support/processes.h"
#include "support/shared_files.h"

enum { kOnFault = 4, kPages = 16 };

int main(int argc, char** argv) {
  const int data = open_data_file(argc, argv, O_RDONLY), memory = memory_file(kPages);
  char* base = reserve_aligned(8);
  munmap(base, 8 << 20);
  char* none = mmap(base, kPages * PAGE, PROT_NONE, ANON | MAP_FIXED, -1, 0);
  char* anon = mmap(base + 32 * PAGE, kPages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  char* only = mmap(base + 64 * PAGE, kPages * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0);
  char* shared = SHARED_RW(base + 96 * PAGE, kPages, memory, 0);
  char* file = mmap(base + 128 * PAGE, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, data, 0);
  char* priv = PRIVATE_RW(base + 224 * PAGE, kPages, data, 0);
  int failed = mlockall(MCL_CURRENT | kOnFault);
  read_pages(anon, 0, 4);
  write_pages(priv, 0, 4);
  failed |= mlockall(kOnFault) == 0 || mlockall(0) == 0;
  failed |= mlockall(MCL_CURRENT);
  write_pages(anon, 0, kPages);
  read_pages(only, 0, kPages);
  write_pages(shared, 0, kPages);
  read_pages(file, 0, 64);
  write_pages(priv, 0, kPages);
  failed |= mprotect(none, kPages * PAGE, RW);
  write_pages(none, 0, kPages);
  failed |= mprotect(only, kPages * PAGE, RW);
  write_pages(only, 0, kPages);
  /* Without MCL_FUTURE what comes later is not locked. */
  char* later = mmap(base + 256 * PAGE, kPages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  write_pages(later, 0, kPages);
  failed |= madvise(later, kPages * PAGE, MADV_DONTNEED);
  write_pages(later, 0, kPages);
  failed |= munlockall();
  CHILD("child", write_pages(anon, 0, 8));
  write_pages(anon, 0, kPages);
  put(failed ? "wrong\n" : "done\n");
  return 0;
}
