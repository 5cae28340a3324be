/* H1: which areas a fork copies. Those that have an anon_vma keep all their entries (written pages, zero pages, clean file
 * pages: no fault to read them again); the others are copied without entries: anonymous memory that was only read, clean
 * private files, all shared mappings. The vvar page, which a clock reads, is copied too. */
#define _GNU_SOURCE
#include "support/data_file.h"
#include "support/processes.h"

enum { kPages = 32 };
static char *written, *zero, *mixed, *clean, *touched, *shared, *shared_file, *none, *untouched;

static void read_all(void) {
  PHASE("written_read", read_pages(written, 0, kPages));
  PHASE("zero_read", read_pages(zero, 0, kPages));
  PHASE("mixed_read", read_pages(mixed, 0, kPages));
  PHASE("clean_file_read", read_pages(clean, 0, kPages));
  PHASE("touched_file_read", read_pages(touched, 0, kPages));
  PHASE("shared_read", read_pages(shared, 0, kPages));
  PHASE("shared_file_read", read_pages(shared_file, 0, kPages));
  PHASE("untouched_read", read_pages(untouched, 0, kPages));
}

static void write_all(void) {
  PHASE("written_write", write_pages(written, 0, kPages));
  PHASE("zero_write", write_pages(zero, 0, kPages));
  PHASE("mixed_write", write_pages(mixed, 0, kPages));
  PHASE("clean_file_write", write_pages(clean, 0, kPages));
  PHASE("touched_file_write", write_pages(touched, 0, kPages));
  PHASE("shared_write", write_pages(shared, 0, kPages));
  PHASE("untouched_write", write_pages(untouched, 0, kPages));
  PHASE("none_to_rw", mprotect(none, kPages * PAGE, RW));
  PHASE("none_read", read_pages(none, 0, kPages));
  PHASE("none_write", write_pages(none, 0, kPages));
}

int main(int argc, char** argv) {
  phases_begin();
  const int fd = open_data_file(argc, argv, O_RDONLY);
  char* base = reserve_aligned(8);
  clean = mmap(base, kPages * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
  touched = mmap(base + 64 * PAGE, kPages * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
  shared_file = mmap(base + 128 * PAGE, kPages * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
  shared = mmap(base + 192 * PAGE, kPages * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  written = map_apart(kPages);
  zero = map_apart(kPages);
  mixed = map_apart(kPages);
  none = map_apart(kPages);
  untouched = map_apart(kPages);
  write_pages(written, 0, kPages);
  read_pages(zero, 0, kPages);
  write_byte(mixed + 5 * PAGE, 1);
  read_pages(clean, 0, kPages);
  write_byte(touched + 7 * PAGE, 1);
  write_pages(shared, 0, kPages);
  write_pages(none, 0, kPages);
  mprotect(none, kPages * PAGE, PROT_NONE);
  read_all(); /* what is not there yet: the zero pages of `mixed`, the file pages of `touched` */

  CHILD("child reads and writes", read_all(); write_all());
  CHILD("second child writes", write_all());
  read_all();
  write_all();
  CHILD("child after the parent's writes", read_all(); write_all());
  return phases_print();
}
