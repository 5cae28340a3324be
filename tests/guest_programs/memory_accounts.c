/* What /proc says of memory before and after a program uses some, and whether the differences explain each other.
 *
 * Each step prints, in pages, by how much free memory fell and by how much each known use grew; what is left over is
 * memory that nobody names. Under faultline, where nothing else runs, it must be zero; on a real machine it is noise.
 * The files are read with plain calls into static buffers, so that looking changes as little as possible. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FREE, PCP, ANON, FILES, TABLES, SLAB, STACKS, VMALLOC, USES };
static const char* const names[USES] = {"free", "pcp", "anon", "files", "tables", "slab", "stacks", "vmalloc"};
static char text[256 * 1024];
static char output[16 * 1024];

static char* slurp(const char* path) {
  const int fd = open(path, O_RDONLY);
  size_t length = 0;
  ssize_t got;
  if (fd < 0) return NULL;
  while ((got = read(fd, text + length, sizeof text - 1 - length)) > 0) length += (size_t)got;
  close(fd);
  text[length] = 0;
  return text;
}

/* A line of meminfo, in pages. */
static long pages_of(const char* name) {
  const char* line = text;
  const size_t length = strlen(name);
  while (line) {
    if (!strncmp(line, name, length) && line[length] == ':') return strtol(line + length + 1, NULL, 10) / 4;
    line = strchr(line, '\n');
    if (line) ++line;
  }
  return 0;
}

static void look(long use[USES]) {
  char* at;
  memset(use, 0, USES * sizeof *use);
  if (slurp("/proc/zoneinfo"))
    for (at = text; (at = strstr(at, " count: ")) != NULL; ++at) use[PCP] += strtol(at + 8, NULL, 10);
  if (!slurp("/proc/meminfo")) exit(2);
  use[FREE] = pages_of("MemFree");
  use[ANON] = pages_of("AnonPages");
  use[FILES] = pages_of("Cached") + pages_of("Buffers");
  use[TABLES] = pages_of("PageTables");
  use[SLAB] = pages_of("Slab");
  use[STACKS] = pages_of("KernelStack");
  use[VMALLOC] = pages_of("VmallocUsed");
}

static long before[USES], after[USES];
static size_t written;

static void begin(void) { look(before); }

static void end(const char* step) {
  long left = 0;
  int i;
  look(after);
  written += (size_t)sprintf(output + written, "%s", step);
  for (i = 0; i < USES; ++i) {
    left += after[i] - before[i];
    written += (size_t)sprintf(output + written, " %s %+ld", names[i], after[i] - before[i]);
  }
  written += (size_t)sprintf(output + written, " unexplained %+ld\n", left);
}

int main(void) {
  const size_t page = 4096, table = 4u << 20;
  static int fds[300];
  char *area, *shared;
  size_t i;
  memset(text, 1, sizeof text);
  memset(output, 1, sizeof output);
  begin();
  end("warm");
  written = 0;

  begin();
  end("nothing");

  /* 300 pages below three page tables that are not there yet. */
  area = mmap(NULL, 4 * table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  madvise(area, 4 * table, MADV_NOHUGEPAGE);
  area = (char*)(((unsigned long)area + table - 1) & ~(unsigned long)(table - 1));
  begin();
  for (i = 0; i < 300; ++i) area[i % 3 * table + i / 3 * page] = 1;
  end("anon");

  begin();
  for (i = 0; i < 300; ++i) madvise(area + i % 3 * table + i / 3 * page, page, MADV_DONTNEED);
  end("dontneed");

  begin();
  shared = mmap(NULL, 50 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (i = 0; i < 50; ++i) shared[i * page] = 1;
  end("shared");

  begin();
  munmap(shared, 50 * page);
  end("unshared");

  /* Areas that cannot merge: each is an object of the kernel. */
  begin();
  for (i = 0; i < 1000; ++i) mprotect(area + i * page, page, i % 2 ? PROT_READ : PROT_NONE);
  end("areas");

  begin();
  for (i = 0; i < 300; ++i) fds[i] = open("/dev/zero", O_RDONLY);
  end("files");

  begin();
  for (i = 0; i < 300; ++i)
    if (fds[i] >= 0) close(fds[i]);
  munmap(area, 3 * table);
  end("freed");

  fwrite(output, 1, written, stdout);
  return 0;
}
