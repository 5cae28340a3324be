/* Memory calls that are refused, and in which order their arguments are looked at; what the refused ones leave behind.
 * Only what 6.1 on i386 and 6.18 on x86-64 answer alike. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "support/say.h"

#define PAGE 4096u
enum { kDontUnmap = 4, kNoReplace = 0x100000, kValidate = 3, kSync = 0x80000 };
static char* base;

static long raw(long number, long a, long b, long c, long d, long e, long f) {
  return syscall(number, a, b, c, d, e, f);
}
static const char* map(char* at, size_t size, int prot, int flags, int fd) {
  return OUTCOME(raw(SYS_mmap2, (long)at, (long)size, prot, flags, fd, 0));
}
static const char* remap(char* from, size_t old_size, size_t new_size, int flags, char* to) {
  return OUTCOME(raw(SYS_mremap, (long)from, (long)old_size, (long)new_size, flags, (long)to, 0));
}
static char* fresh(size_t pages) {
  return mmap(base, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void mmap_errors(int fd, int read_only) {
  const int anon = MAP_ANONYMOUS | MAP_PRIVATE;
  say("mmap nothing: %s", map(0, 0, 3, anon, -1));
  say("mmap no type: %s", map(0, PAGE, 3, MAP_ANONYMOUS, -1));
  say("mmap bad descriptor: %s", map(0, PAGE, 3, MAP_PRIVATE, 99));
  say("mmap validate anonymous: %s", map(0, PAGE, 3, MAP_ANONYMOUS | kValidate, -1));
  say("mmap validate file: %s", map(0, PAGE, 3, kValidate, fd));
  say("mmap validate sync: %s", map(0, PAGE, 3, kValidate | kSync, fd));
  say("mmap validate unknown: %s", map(0, PAGE, 3, kValidate | 0x200000, fd));
  say("mmap validate no replace: %s", map(base, PAGE, 3, kValidate | kNoReplace, fd));
  say("mmap validate 32 bit: %s", map(0, PAGE, 3, kValidate | 0x40, fd));
  say("mmap huge file: %s", map(0, PAGE, 3, MAP_SHARED | MAP_HUGETLB, fd));
  say("mmap shared unknown: %s", map(0, PAGE, 3, MAP_SHARED | 0x200000, fd));
  say("mmap shared write, read-only file: %s", map(0, PAGE, 3, MAP_SHARED, read_only));
  say("mmap private write, read-only file: %s", map(0, PAGE, 3, MAP_PRIVATE, read_only));
  say("mmap file growing down: %s", map(0, PAGE, 3, MAP_PRIVATE | MAP_GROWSDOWN, fd));
  say("mmap shared anonymous growing down: %s", map(0, PAGE, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1));
  say("mmap growing down: %s", map(0, PAGE, 3, anon | MAP_GROWSDOWN, -1));
  say("mmap fixed unaligned: %s", map(base + 1, PAGE, 3, anon | MAP_FIXED, -1));
  fresh(4);
  say("mmap noreplace over: %s", map(base + PAGE, PAGE, 3, anon | kNoReplace, -1));
  say("mmap noreplace beside: %s", map(base + 4 * PAGE, PAGE, 3, anon | kNoReplace, -1));
  munmap(base, 5 * PAGE);
}

static void mremap_errors(void) {
  char* p = fresh(8);
  char* q = base + 64 * PAGE;
  say("mremap unknown flag: %s", remap(p, PAGE, PAGE, 8, 0));
  say("mremap fixed without maymove: %s", remap(p, PAGE, PAGE, MREMAP_FIXED, q));
  say("mremap dontunmap without maymove: %s", remap(p, PAGE, PAGE, kDontUnmap, 0));
  say("mremap dontunmap other size: %s", remap(p, PAGE, 2 * PAGE, kDontUnmap | MREMAP_MAYMOVE, 0));
  say("mremap unaligned: %s", remap(p + 1, PAGE, PAGE, 0, 0));
  say("mremap to nothing: %s", remap(p, PAGE, 0, 0, 0));
  say("mremap too large: %s", remap(p, PAGE, 0xfffff001, MREMAP_MAYMOVE, 0));
  say("mremap to unaligned: %s", remap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 1));
  say("mremap overlapping: %s", remap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 2 * PAGE));
  say("mremap from a hole: %s", remap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0));
  say("mremap more than the area: %s", remap(p, 16 * PAGE, 17 * PAGE, MREMAP_MAYMOVE, 0));
  say("mremap same size, more than the area: %s", remap(p, 16 * PAGE, 16 * PAGE, 0, 0));
  say("mremap fixed from a hole: %s", remap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 4 * PAGE));
  say("mremap fixed, more than the area: %s", remap(p, 16 * PAGE, 17 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q));
  say("mremap duplicate of private: %s", remap(p, 0, PAGE, MREMAP_MAYMOVE, 0));
  raw(SYS_mmap2, (long)(p + 8 * PAGE), PAGE, 1, MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED, -1, 0);
  say("mremap grow into a neighbour: %s", remap(p, 8 * PAGE, 9 * PAGE, 0, 0));
  say("mremap fixed, shrinking over a border: %s", remap(p + 7 * PAGE, 4 * PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q));
  say("mremap back: %s", remap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 7 * PAGE));
  say("mremap shrink: %s", remap(p, 8 * PAGE, 4 * PAGE, 0, 0));
  say("mremap grow in place: %s", remap(p, 4 * PAGE, 8 * PAGE, 0, 0));
  say("mremap dontunmap: %s", remap(p, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | kDontUnmap, 0));
  munmap(base, 16 * PAGE);
}

static void msync_errors(void) {
  char* p = fresh(4);
  munmap(p + 2 * PAGE, PAGE);
  say("msync both: %s", OUTCOME(msync(p, PAGE, MS_ASYNC | MS_SYNC)));
  say("msync unknown: %s", OUTCOME(msync(p, PAGE, 8)));
  say("msync unaligned: %s", OUTCOME(msync(p + 1, PAGE, MS_SYNC)));
  say("msync none: %s", OUTCOME(msync(p, PAGE, 0)));
  say("msync nothing: %s", OUTCOME(msync(base + 64 * PAGE, 0, MS_SYNC)));
  say("msync hole: %s", OUTCOME(msync(p, 4 * PAGE, MS_SYNC)));
  say("msync hole, async: %s", OUTCOME(msync(p, 4 * PAGE, MS_ASYNC)));
  mlock(p, PAGE);
  say("msync invalidate locked: %s", OUTCOME(msync(p, PAGE, MS_INVALIDATE)));
  say("msync invalidate: %s", OUTCOME(msync(p + PAGE, PAGE, MS_INVALIDATE)));
  say("msync locked behind a hole: %s", OUTCOME(msync(p, 4 * PAGE, MS_INVALIDATE | MS_SYNC)));
  munmap(base, 4 * PAGE);
}

static void mlock_errors(void) {
  char* p = fresh(4);
  munmap(p + 2 * PAGE, PAGE);
  say("mlock hole: %s", OUTCOME(mlock(p, 4 * PAGE)));
  say("mlock nothing in a hole: %s", OUTCOME(mlock(p + 2 * PAGE, 0)));
  say("mlock none: %s", OUTCOME(mlock(base + 64 * PAGE, PAGE)));
  mprotect(p + 3 * PAGE, PAGE, PROT_NONE);
  say("mlock no access: %s", OUTCOME(mlock(p + 3 * PAGE, PAGE)));
  say("mlock2 unknown flag: %s", OUTCOME(raw(SYS_mlock2, (long)p, PAGE, 2, 0, 0, 0)));
  say("mlock2 on fault: %s", OUTCOME(raw(SYS_mlock2, (long)p, PAGE, 1, 0, 0, 0)));
  say("munlock hole: %s", OUTCOME(munlock(p, 4 * PAGE)));
  say("mlockall none: %s", OUTCOME(mlockall(0)));
  say("mlockall on fault alone: %s", OUTCOME(mlockall(4)));
  say("mlockall unknown: %s", OUTCOME(mlockall(8)));
  say("munlockall: %s", OUTCOME(munlockall()));
  munmap(base, 4 * PAGE);
}

static void madvise_errors(int read_only) {
  static const int unknown[] = {-1, 5, 7, 26, 99, 100, 101, 999};
  char* p = fresh(8);
  for (unsigned i = 0; i < sizeof unknown / sizeof *unknown; ++i)
    say("madvise %d: %s", unknown[i], OUTCOME(madvise(p, PAGE, unknown[i])));
  for (int advice = 0; advice <= 24; ++advice)
    if (advice != 5 && advice != 6 && advice != 7) say("madvise %d: %s", advice, OUTCOME(madvise(p, PAGE, advice)));
  say("madvise unaligned: %s", OUTCOME(madvise(p + 1, PAGE, MADV_DONTNEED)));
  say("madvise unaligned nothing: %s", OUTCOME(madvise(p + 1, 0, MADV_DONTNEED)));
  say("madvise nothing: %s", OUTCOME(madvise(base + 64 * PAGE, 0, MADV_DONTNEED)));
  say("madvise hole: %s", OUTCOME(madvise(base + 64 * PAGE, PAGE, MADV_DONTNEED)));
  mlock(p, PAGE);
  say("madvise dontneed locked: %s", OUTCOME(madvise(p, PAGE, MADV_DONTNEED)));
  say("madvise dontneed_locked locked: %s", OUTCOME(madvise(p, PAGE, 24)));
  say("madvise free locked: %s", OUTCOME(madvise(p, PAGE, MADV_FREE)));
  mprotect(p + PAGE, PAGE, PROT_READ);
  say("populate_write read-only: %s", OUTCOME(madvise(p + PAGE, PAGE, 23)));
  mprotect(p + PAGE, PAGE, PROT_NONE);
  say("populate_read none: %s", OUTCOME(madvise(p + PAGE, PAGE, 22)));
  munmap(p + 4 * PAGE, PAGE);
  say("populate_read hole: %s", OUTCOME(madvise(p + 2 * PAGE, 4 * PAGE, 22)));
  munmap(base, 8 * PAGE);
  p = mmap(base, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, read_only, 0);
  say("remove shared read-only: %s", OUTCOME(madvise(p, PAGE, MADV_REMOVE)));
  p = mmap(base, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, read_only, 0);
  say("remove private: %s", OUTCOME(madvise(p, PAGE, MADV_REMOVE)));
  say("wipeonfork file: %s", OUTCOME(madvise(p, PAGE, MADV_WIPEONFORK)));
  say("free file: %s", OUTCOME(madvise(p, PAGE, MADV_FREE)));
  munmap(base, PAGE);
}

static void mincore_errors(void) {
  static unsigned char seen[4];
  char* p = fresh(4);
  p[0] = 1;
  munmap(p + 2 * PAGE, PAGE);
  say("mincore unaligned: %s", OUTCOME(mincore(p + 1, PAGE, seen)));
  say("mincore nothing: %s", OUTCOME(mincore(p, 0, seen)));
  say("mincore bad vector: %s", OUTCOME(mincore(p, PAGE, (void*)8)));
  memset(seen, 7, sizeof seen);
  say("mincore hole: %s", OUTCOME(mincore(p, 4 * PAGE, seen)));
  say("before the hole: %d %d %d", seen[0], seen[1], seen[2]);
  munmap(base, 4 * PAGE);
}

static void remap_file_pages_errors(int fd) {
  char* p = mmap(base, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  for (int i = 0; i < 4; ++i) p[i * PAGE] = (char)('a' + i);
  say("remap with rights: %s", OUTCOME(raw(SYS_remap_file_pages, (long)p, PAGE, PROT_READ, 1, 0, 0)));
  say("remap nothing: %s", OUTCOME(raw(SYS_remap_file_pages, (long)p, 0, 0, 1, 0, 0)));
  say("remap beyond: %s", OUTCOME(raw(SYS_remap_file_pages, (long)p, 5 * PAGE, 0, 0, 0, 0)));
  say("remap hole: %s", OUTCOME(raw(SYS_remap_file_pages, (long)(p + 8 * PAGE), PAGE, 0, 0, 0, 0)));
  say("remap: %s", OUTCOME(raw(SYS_remap_file_pages, (long)p, 2 * PAGE, 0, 2, 0, 0)));
  say("then: %c%c%c%c", p[0], p[PAGE], p[2 * PAGE], p[3 * PAGE]);
  say("remap cut areas: %s", OUTCOME(raw(SYS_remap_file_pages, (long)p, 4 * PAGE, 0, 0, 0, 0)));
  say("then: %c%c%c%c", p[0], p[PAGE], p[2 * PAGE], p[3 * PAGE]);
  munmap(base, 4 * PAGE);
  p = fresh(2);
  say("remap private: %s", OUTCOME(raw(SYS_remap_file_pages, (long)p, PAGE, 0, 1, 0, 0)));
  p = mmap(base, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  for (int i = 0; i < 4; ++i) p[i * PAGE] = (char)('p' + i);
  say("remap shared anonymous: %s", OUTCOME(raw(SYS_remap_file_pages, (long)(p + PAGE), PAGE, 0, 3, 0, 0)));
  say("then: %c%c%c%c", p[0], p[PAGE], p[2 * PAGE], p[3 * PAGE]);
  munmap(base, 4 * PAGE);
}

static void limits(void) {
  struct rlimit limit = {0, RLIM_INFINITY};
  setrlimit(RLIMIT_DATA, &limit);
  say("no data, but a hard limit: %s", map(base, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1));
  const long heap = raw(SYS_brk, 0, 0, 0, 0, 0, 0);
  say("no data, heap: %s", raw(SYS_brk, heap + 16 * (long)PAGE, 0, 0, 0, 0, 0) == heap ? "stays" : "grows");
  limit.rlim_cur = 64 * PAGE;
  limit.rlim_max = 64 * PAGE;
  setrlimit(RLIMIT_DATA, &limit);
  say("data: %s", map(base, 65 * PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1));
  say("read-only: %s", map(base, 65 * PAGE, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1));
  say("made writable: %s", OUTCOME(mprotect(base, 65 * PAGE, 3)));
  say("shared: %s", map(base, 65 * PAGE, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1));
  munmap(base, 65 * PAGE);
  limit.rlim_cur = limit.rlim_max = 64 << 20;
  setrlimit(RLIMIT_AS, &limit);
  say("address space: %s", map(base, 65 << 20, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1));
  fresh(4);
  say("address space, mremap: %s", remap(base, 4 * PAGE, 65 << 20, MREMAP_MAYMOVE, 0));
  munmap(base, 4 * PAGE);
}

int main(int argc, char** argv) {
  char path[512];
  base = mmap(0, 128 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  munmap(base, 128 << 20);
  snprintf(path, sizeof path, "%s/mm_errors.data", argc > 1 ? argv[1] : "/tmp");
  const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), read_only = open(path, O_RDONLY);
  if (fd < 0 || ftruncate(fd, 4 * PAGE) != 0) return 2;
  mmap_errors(fd, read_only);
  mremap_errors();
  msync_errors();
  mlock_errors();
  madvise_errors(read_only);
  mincore_errors();
  remap_file_pages_errors(fd);
  limits();
  unlink(path);
  return 0;
}
