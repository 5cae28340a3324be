/* Memory of a process as /proc tells of it: smaps, smaps_rollup and pagemap of areas whose pages are known, in a parent
 * and its child. Addresses and what a kernel may or may not have are left out of the output. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/proc_text.h"

#define PAGE 4096

/* ---- smaps ---- */

/* The line of the area at `addr` in `text`. */
static char* area_at(const void* addr) {
  char start[16];
  snprintf(start, sizeof start, "%08lx-", (unsigned long)(uintptr_t)addr);
  char* line = text;
  while (line && strncmp(line, start, strlen(start)) != 0) {
    line = strchr(line, '\n');
    if (line) ++line;
  }
  return line;
}
static void show_area(const char* name, const void* addr) {
  static const char* const shown[] = {"Size",       "KernelPageSize", "MMUPageSize",  "Rss",           "Pss",
                                      "Pss_Dirty",  "Shared_Clean",   "Shared_Dirty", "Private_Clean", "Private_Dirty",
                                      "Referenced", "Anonymous",      "Swap",         "SwapPss",       "Locked"};
  char* line = area_at(addr);
  printf("%s:", name);
  if (!line) {
    printf(" no such area\n");
    return;
  }
  printf(" %.4s", strchr(line, ' ') + 1);
  for (unsigned i = 0; i < sizeof shown / sizeof *shown; ++i) {
    char wanted[32];
    snprintf(wanted, sizeof wanted, "\n%s:", shown[i]);
    const char* at = strstr(line, wanted);
    const long kb = at ? strtol(at + strlen(wanted), NULL, 10) : -1;
    if (kb != 0) printf(" %s %ld", shown[i], kb);
  }
  const char* flags = strstr(line, "\nVmFlags: ");
  printf(" [%.*s]\n", flags ? (int)(strchr(flags + 1, '\n') - flags - 10) : 0, flags ? flags + 10 : "");
}

static char* fresh(size_t pages, int flags) {
  /* Between unmapped pages, so that it is merged with nothing. */
  char* all = mmap(NULL, (pages + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(all, PAGE);
  munmap(all + (pages + 1) * PAGE, PAGE);
  return mmap(all + PAGE, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}
static volatile char sink;
static void touch(char* at, int pages) {
  for (int i = 0; i < pages; ++i) at[i * PAGE] = 1;
}
static void look_at(const char* at, int pages) {
  for (int i = 0; i < pages; ++i) sink = at[i * PAGE];
}

static long field_sum(const char* name) {
  char wanted[32];
  long sum = 0;
  snprintf(wanted, sizeof wanted, "\n%s:", name);
  for (const char* at = text; (at = strstr(at, wanted)) != NULL; ++at) sum += strtol(at + strlen(wanted), NULL, 10);
  return sum;
}

static void smaps(void) {
  static const char* const summed[] = {"Rss",           "Shared_Clean", "Shared_Dirty", "Private_Clean",
                                       "Private_Dirty", "Referenced",   "Anonymous",    "Locked"};
  long before[8];
  char* const anon = fresh(16, MAP_PRIVATE);
  char* const shared = fresh(8, MAP_SHARED);
  const int fd = memfd_create("twice", 0);
  if (ftruncate(fd, 4 * PAGE) != 0) abort();
  char* const once = fresh(4, MAP_PRIVATE);
  char* const twice = fresh(4, MAP_PRIVATE);
  char* const copied = fresh(4, MAP_PRIVATE);
  mmap(once, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  mmap(twice, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  mmap(copied, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);
  touch(anon, 3);
  look_at(anon + 5 * PAGE, 4); /* the zero page is nobody's */
  touch(shared, 2);
  look_at(shared + 4 * PAGE, 1);
  touch(once, 3);
  touch(copied, 1);
  slurp("/proc/self/smaps");
  printf("smaps\n");
  show_area("private", anon);
  show_area("shared", shared);
  show_area("memfd", once);
  touch(twice, 3);
  slurp("/proc/self/smaps");
  show_area("mapped again", twice);
  show_area("and the first", once);
  show_area("copied", copied);

  char* const locked = fresh(4, MAP_PRIVATE);
  if (mlock(locked + PAGE, 2 * PAGE) != 0) abort();
  touch(locked + PAGE, 2);
  char* const advised = fresh(8, MAP_PRIVATE);
  touch(advised + 5 * PAGE, 2);
  madvise(advised, PAGE, MADV_DONTFORK);
  madvise(advised + PAGE, PAGE, MADV_DONTDUMP);
  madvise(advised + 2 * PAGE, PAGE, MADV_WIPEONFORK);
  madvise(advised + 3 * PAGE, PAGE, MADV_SEQUENTIAL);
  madvise(advised + 4 * PAGE, PAGE, MADV_RANDOM);
  mprotect(advised + 5 * PAGE, PAGE, PROT_NONE);
  mprotect(advised + 6 * PAGE, PAGE, PROT_READ);
  char* const reserved = fresh(1, MAP_PRIVATE | MAP_NORESERVE);
  slurp("/proc/self/smaps");
  show_area("locked", locked + PAGE);
  show_area("beside", locked);
  show_area("dontfork", advised);
  show_area("dontdump", advised + PAGE);
  show_area("wipeonfork", advised + 2 * PAGE);
  show_area("sequential", advised + 3 * PAGE);
  show_area("random", advised + 4 * PAGE);
  show_area("none", advised + 5 * PAGE);
  show_area("read-only", advised + 6 * PAGE);
  show_area("noreserve", reserved);
  const char* stack = strstr(text, "[stack]");
  stack = stack ? strstr(stack, "VmFlags:") : NULL;
  printf("stack: %.27s\n", stack ? stack : "none");
  const char* vvar = strstr(text, "[vvar]");
  vvar = vvar ? strstr(vvar, "VmFlags:") : NULL;
  printf("vvar: %.27s\n", vvar ? vvar : "none");

  /* A child that shares, looks and writes. */
  int to_child[2], to_parent[2];
  char c = 0;
  if (pipe(to_child) != 0 || pipe(to_parent) != 0) abort();
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    look_at(anon, 1);
    touch(anon + 2 * PAGE, 1);
    slurp("/proc/self/smaps");
    show_area("child's private", anon);
    show_area("child's shared", shared);
    show_area("child's wiped", advised + 2 * PAGE);
    fflush(stdout);
    if (write(to_parent[1], &c, 1) != 1 || read(to_child[0], &c, 1) != 1) abort();
    _exit(0);
  }
  if (read(to_parent[0], &c, 1) != 1) abort();
  slurp("/proc/self/smaps");
  show_area("parent's private", anon);
  show_area("parent's shared", shared);
  slurp(task_path(child, 0, "smaps"));
  show_area("child's as seen", anon);
  if (write(to_child[1], &c, 1) != 1) abort();
  waitpid(child, NULL, 0);
  slurp("/proc/self/smaps");
  show_area("alone again", anon);

  /* The sums of one are the other. */
  slurp("/proc/self/smaps");
  slurp("/proc/self/smaps");
  for (int i = 0; i < 8; ++i) before[i] = field_sum(summed[i]);
  slurp("/proc/self/smaps_rollup");
  printf("rollup: %s", strstr(text, "---p 00000000 00:00 0 ") ? "header" : "no header");
  for (int i = 0; i < 8; ++i) printf(" %s", before[i] == field_sum(summed[i]) ? summed[i] : "different");
  printf(", kinds %d\n", strstr(text, "\nPss_Anon:") && strstr(text, "\nPss_File:") && strstr(text, "\nPss_Shmem:"));
  const long rss = field_sum("Rss");
  slurp("/proc/self/status");
  printf("status says the same: %d\n", rss == field_sum("VmRSS"));

  /* However it is read, it is the same text; a read gives whole records of less than a page. */
  const long whole = slurp_by("/proc/self/maps", 65536), bits = slurp_by("/proc/self/maps", 7);
  printf("maps in pieces: %d\n", whole == bits);
  const int maps = open("/proc/self/smaps", O_RDONLY);
  long got, most = 0, ends = 1;
  while ((got = read(maps, text, 65536)) > 0) {
    ends &= text[got - 1] == '\n' && !memcmp(text + got - 2, " \n", 2);
    most = got > most ? got : most;
  }
  printf("smaps in records: %ld, below a page %d\n", ends, most < PAGE);
  printf("at an offset: %ld", result_of(pread(maps, text, 20, 4)));
  text[20] = 0;
  char again[32] = "";
  printf(" %ld", result_of(pread(maps, again, 24, 0)));
  printf(" %d, from the end %ld\n", !memcmp(text, again + 4, 20), result_of(lseek(maps, 0, SEEK_END)));
  close(maps);
  close(fd);
}

/* ---- pagemap ---- */

static long long word_at(int fd, const void* addr) {
  uint64_t word = 0;
  if (pread(fd, &word, 8, (off_t)((uintptr_t)addr / PAGE * 8)) != 8) return -1;
  return (long long)word;
}
/* Without the frame number and the soft-dirty bit. */
static void show_words(const char* name, int fd, const char* at, int pages) {
  printf("  %s", name);
  for (int i = 0; i < pages; ++i) printf(" %llx", word_at(fd, at + i * PAGE) >> 56 & 0xff);
  printf("\n");
}

static void pagemap(void) {
  static uint64_t words[2048];
  char* const anon = fresh(8, MAP_PRIVATE);
  char* const shared = fresh(4, MAP_SHARED);
  const int fd = open("/proc/self/pagemap", O_RDONLY);
  printf("pagemap\n");
  touch(anon, 2);
  look_at(anon + 3 * PAGE, 1);
  touch(anon + 5 * PAGE, 1);
  mprotect(anon + 5 * PAGE, PAGE, PROT_NONE);
  touch(shared, 1);
  show_words("private", fd, anon, 8);
  show_words("shared", fd, shared, 4);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    show_words("forked", fd, anon, 8);
    const int own = open("/proc/self/pagemap", O_RDONLY);
    touch(anon, 1);
    look_at(shared, 1);
    show_words("child", own, anon, 8);
    show_words("child", own, shared, 4);
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  show_words("alone", fd, anon, 3);
  /* Frame numbers are for CAP_SYS_ADMIN. */
  slurp("/proc/self/status");
  const char* caps = strstr(text, "CapEff:\t");
  const int admin = caps && (strtoull(caps + 8, NULL, 16) >> 21 & 1);
  const uint64_t frame = word_at(fd, anon) & ((1ull << 55) - 1);
  printf("  frame %s\n", (frame != 0) == admin ? "as it should be" : "wrong");
  printf("  and another %d\n", !admin || frame != (word_at(fd, anon + PAGE) & ((1ull << 55) - 1)));
  const off_t at = (off_t)((uintptr_t)anon / PAGE * 8);
  printf("  unaligned %ld %ld %ld\n", result_of(pread(fd, words, 8, at + 4)), result_of(pread(fd, words, 12, at)),
         result_of(pread(fd, words, 7, at)));
  printf("  nothing %ld, nowhere %ld\n", result_of(pread(fd, words, 0, at)),
         result_of(syscall(SYS_pread64, fd, (void*)16, 8, (unsigned)at, 0)));
  printf("  many %ld", result_of(pread(fd, words, sizeof words, at)));
  printf(" %llx %llx %llx\n", (unsigned long long)words[0] >> 61, (unsigned long long)words[2] >> 61,
         (unsigned long long)words[3] >> 61);
  printf("  behind the end %ld\n", result_of(pread(fd, words, 64, (1ll << 20) * 8)));
  printf("  seek %d", lseek(fd, at, SEEK_SET) == at);
  printf(" %ld", result_of(read(fd, words, 16)));
  printf(" %d", (int)(lseek(fd, 0, SEEK_CUR) - at));
  printf(" %ld\n", result_of(lseek(fd, 0, SEEK_END)));
  printf("  write %ld\n", result_of(write(fd, words, 8)));
  close(fd);
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 15);
  smaps();
  pagemap();
  return 0;
}
