/* The frame-reuse trap: code comes by read() into pages at the same address, five rounds; each round must run the new
 * code. Four ways: the mapping is made anew each round (frames are freed and used again), read() over pages that have
 * just run, MADV_DONTNEED between, and pages that were data in between. Prints 1 2 3 4 5 each time. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "support/guest.h"

/* Five stubs of 16 bytes in our own read-only data: movl $n, %eax; ret. */
#define STUB(n) 0xb8, n, 0, 0, 0, 0xc3, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90
static const unsigned char stubs[5 * 16] = {STUB(1), STUB(2), STUB(3), STUB(4), STUB(5)};
enum { kPages = 4 };
#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)

static long file_offset_of(const void* address) {
  const Elf32_Phdr* ph = (const Elf32_Phdr*)((const char*)&__ehdr_start + __ehdr_start.e_phoff);
  for (int i = 0; i < __ehdr_start.e_phnum; ++i) {
    const uintptr_t in = (uintptr_t)address - ph[i].p_vaddr;
    if (ph[i].p_type == PT_LOAD && in < ph[i].p_filesz) return (long)(ph[i].p_offset + in);
  }
  return -1;
}

static void load(int fd, char* code, int round) {
  for (int i = 0; i < kPages; ++i) {
    if (pread(fd, code + i * PAGE + 100, 16, file_offset_of(stubs) + 16 * round) != 16) put("read failed\n");
  }
}
static int run(char* code) {
  int sum = 0;
  for (int i = 0; i < kPages; ++i) sum += ((int (*)(void))(code + i * PAGE + 100))();
  return sum % kPages ? -1 : sum / kPages;
}

int main(void) {
  const int fd = open("/proc/self/exe", O_RDONLY);
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  char* code = mmap(0, kPages * PAGE, RWX, flags, -1, 0);
  printf("mapped anew:");
  for (int round = 0; round < 5; ++round) {
    munmap(code, kPages * PAGE);
    if (mmap(code, kPages * PAGE, RWX, flags | MAP_FIXED, -1, 0) != code) return 1;
    load(fd, code, round);
    printf(" %d", run(code));
  }
  printf("\nread over:");
  for (int round = 0; round < 5; ++round) {
    load(fd, code, round);
    printf(" %d", run(code));
  }
  printf("\ndontneed:");
  for (int round = 0; round < 5; ++round) {
    madvise(code, kPages * PAGE, MADV_DONTNEED);
    load(fd, code, round);
    printf(" %d", run(code));
  }
  printf("\ndata between:");
  for (int round = 0; round < 5; ++round) {
    mprotect(code, kPages * PAGE, PROT_READ | PROT_WRITE);
    memset(code, 0xcc, kPages * PAGE);
    load(fd, code, round);
    mprotect(code, kPages * PAGE, PROT_READ | PROT_EXEC);
    printf(" %d", run(code));
  }
  printf("\nmoved in by mremap:");
  for (int round = 0; round < 5; ++round) {
    char* fresh = mmap(0, kPages * PAGE, RWX, flags, -1, 0);
    load(fd, fresh, round);
    if (mremap(fresh, kPages * PAGE, kPages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, code) != code) return 1;
    printf(" %d", run(code));
  }
  printf("\nstored by the program:");
  for (int round = 0; round < 5; ++round) {
    munmap(code, kPages * PAGE);
    mmap(code, kPages * PAGE, RWX, flags | MAP_FIXED, -1, 0);
    for (int i = 0; i < kPages; ++i) memcpy(code + i * PAGE + 100, stubs + 16 * round, 16);
    printf(" %d", run(code));
  }
  printf("\n");
  return 0;
}
