/* Code written through one mapping and run through another of the same pages (RW and RX): a shared file (argument: its
 * path, writable), memfd ("memfd"), or shared anonymous memory mapped twice by mremap with old size 0 ("anon").
 * Also by write() to the file, and with the page run through two addresses. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "support/guest.h"

static int call(const void* p) { return ((int (*)(void))p)(); }
static void stub(char* p, int value) {
  p[0] = (char)0xb8;
  memcpy(p + 1, &value, 4);
  p[5] = (char)0xc3;
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "anon";
  char *rw, *rx, *rx2;
  int fd = -1;
  if (!strcmp(how, "anon")) {
    rw = mmap(0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    rx = mremap(rw, 0, PAGE, MREMAP_MAYMOVE);
    rx2 = mremap(rw, 0, PAGE, MREMAP_MAYMOVE);
    mprotect(rw, PAGE, PROT_READ | PROT_WRITE);
    mprotect(rx, PAGE, PROT_READ | PROT_EXEC);
    mprotect(rx2, PAGE, PROT_READ | PROT_EXEC);
  } else {
    fd = !strcmp(how, "memfd") ? (int)raw3(356, (long)"code", 0, 0) : open(how, O_RDWR | O_CREAT | O_TRUNC, 0700);
    if (fd < 0 || ftruncate(fd, PAGE)) {
      printf("no file\n");
      return 1;
    }
    rw = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    rx = mmap(0, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    rx2 = mmap(0, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  }
  if (rw == MAP_FAILED || rx == MAP_FAILED || rx2 == MAP_FAILED) {
    printf("no mapping\n");
    return 1;
  }
  printf("alias:");
  for (int round = 1; round <= 5; ++round) {
    stub(rw, round);
    printf(" %d", call(rx));
  }
  printf("\nfour stubs:");
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 4; ++i) stub(rw + 64 + i * 32, round * 10 + i);
    for (int i = 0; i < 4; ++i) printf(" %d", call(rx + 64 + i * 32));
  }
  printf("\ntwo addresses:");
  for (int round = 1; round <= 5; ++round) {
    printf(" %d", call(rx2));
    stub(rw, round * 2);
    printf(",%d,%d", call(rx), call(rx2));
  }
  if (fd >= 0) {
    printf("\nwrite():");
    for (int round = 1; round <= 5; ++round) {
      char bytes[8];
      stub(bytes, round * 3);
      if (pwrite(fd, bytes, 6, 0) != 6) printf(" failed");
      printf(" %d", call(rx));
    }
  }
  printf("\n");
  return 0;
}
