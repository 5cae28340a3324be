/* Section J, mincore: which pages are there, after each way by which they come and go; it faults only for its answer. Of
 * files it asks the page cache, of private memory the entries. */
#include "support/processes.h"
#include "support/shared_files.h"

enum { kSysMincore = 218, kPages = 40 };
static unsigned char there[kPages];

static void resident(const char* name, char* p) {
  char line[kPages + 2];
  const long failed = raw3(kSysMincore, (long)p, kPages * PAGE, (long)there);
  for (unsigned i = 0; i < kPages; ++i) line[i] = failed ? '?' : there[i] & 1 ? '#' : '.';
  line[kPages] = '\n';
  line[kPages + 1] = 0;
  put(name);
  put(line);
}

int main(int argc, char** argv) {
  const int data = open_data_file(argc, argv, O_RDONLY), memory = memory_file(kPages);
  char* base = reserve_aligned(8);
  char* anon = mmap(base, kPages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
  char* file = PRIVATE_RW(base + 64 * PAGE, kPages, data, kFilePages - 30);
  char* s = SHARED_RW(base + 128 * PAGE, kPages, memory, 0);
  char* p = PRIVATE_RW(base + 192 * PAGE, kPages, memory, 0);
  resident("untouched ", anon);
  read_pages(anon, 0, 8);
  write_pages(anon, 4, 12);
  madvise(anon + 10 * PAGE, 4 * PAGE, MADV_DONTNEED);
  madvise(anon, 2 * PAGE, MADV_FREE);
  mprotect(anon + 4 * PAGE, 2 * PAGE, PROT_NONE);
  resident("anonymous ", anon);
  mprotect(anon + 4 * PAGE, 2 * PAGE, RW);
  resident("file      ", file);
  write_pages(file, 2, 4);
  madvise(file, 4 * PAGE, MADV_DONTNEED);
  resident("dropped   ", file);
  write_pages(s, 0, 8);
  read_pages(s, 6, 12);
  write_pages(p, 20, 24);
  read_pages(p, 30, 32);
  resident("memory    ", s);
  resident("private   ", p);
  madvise(p, kPages * PAGE, MADV_DONTNEED);
  fallocate_pages(memory, kPunchHole | kKeepSize, 0, 2);
  set_pages(memory, 31);
  set_pages(memory, kPages);
  resident("cut       ", s);
  anon = mremap(anon, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 256 * PAGE);
  anon = mmap(base + 264 * PAGE, 32 * PAGE, RW, ANON | MAP_FIXED, -1, 0) - 8 * PAGE;
  resident("moved     ", anon);
  CHILD("child", write_pages(anon, 16, 18); resident("anonymous ", anon); read_pages(s, 36, 38));
  resident("after it  ", anon);
  resident("memory    ", s);
  munmap(p, 8 * PAGE);
  resident("hole      ", p);
  char* zero = mmap(base + 320 * PAGE, kPages * PAGE, PROT_READ, ANON | MAP_POPULATE | MAP_FIXED, -1, 0);
  resident("populated ", zero);
  if (raw3(kSysMincore, (long)zero + 1, PAGE, (long)there) != -22) put("wrong\n");
  put("done\n");
  return 0;
}
