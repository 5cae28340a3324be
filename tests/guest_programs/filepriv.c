/* Section E: private file mappings written to. Absent page: one fault, copied at once. Present read-only: one fault.
 * MADV_DONTNEED drops the copies, and the file's contents come back through windows. */
#define _GNU_SOURCE
#include "support/data_file.h"

int main(int argc, char** argv) {
  phases_begin();
  const int fd = open_data_file(argc, argv, O_RDONLY);
  char* base = reserve_aligned(8);
  const int prot = PROT_READ | PROT_WRITE;
  char* p = mmap(base + 5 * PAGE, 256 * PAGE, prot, MAP_PRIVATE | MAP_FIXED, fd, 0);
  PHASE("write_first_64", write_pages(p, 0, 64));
  PHASE("write_again", write_pages(p, 0, 64));
  PHASE("read_all", read_pages(p, 0, 256));
  PHASE("write_the_rest", write_pages(p, 64, 256));
  PHASE("write_all_again", write_pages(p, 0, 256));
  PHASE("dontneed", madvise(p, 256 * PAGE, MADV_DONTNEED));
  PHASE("read_after_dontneed", read_pages(p, 0, 256));
  if (page_number(p + 70 * PAGE) != 70) put("the copy survived MADV_DONTNEED\n");
  PHASE("rmw_present", for (int i = 0; i < 8; ++i) __asm__ volatile("incl (%0)" : : "r"(p + i * PAGE) : "memory"));
  char* q = mmap(base + 1024 * PAGE, 64 * PAGE, prot, MAP_PRIVATE | MAP_FIXED, fd, 0);
  PHASE("rmw_absent", for (int i = 0; i < 8; ++i) __asm__ volatile("incl (%0)" : : "r"(q + i * PAGE) : "memory"));
  if (page_number(q + 3 * PAGE) != 4 || page_number(q + 9 * PAGE) != 9) put("wrong contents\n");
  /* The tail of the last page reads as zeros, behind the file is SIGBUS: only the former here. */
  char* copy = mmap(base + 1024 * PAGE, 16 * PAGE, prot, MAP_PRIVATE | MAP_FIXED, fd, 0);
  PHASE("copy_4_pages", for (unsigned i = 0; i < 4 * PAGE; ++i) copy[8 * PAGE + i] = copy[i]);
  if (page_number(copy + 9 * PAGE) != 1) put("wrong copy\n");
  PHASE("munmap", munmap(copy, 16 * PAGE));
  PHASE("map_again", copy = mmap(base + 1024 * PAGE, 16 * PAGE, prot, MAP_PRIVATE | MAP_FIXED, fd, 0));
  PHASE("read_again", read_pages(copy, 0, 16));
  if (page_number(copy + 9 * PAGE) != 9) put("the file was written\n");
  return phases_print();
}
