/* Files of shared memory for the programs about them, and accesses that may end in SIGBUS.
 *
 * The file in /dev/shm, a tmpfs natively too, has no name any more when it is used, so nothing is left of it. */
#pragma once
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>
#include "data_file.h"

enum { kSysFtruncate = 93, kSysFallocate = 324, kSysMemfdCreate = 356, kKeepSize = 1, kPunchHole = 2 };

static __attribute__((unused)) int set_pages(int fd, unsigned pages) {
  return (int)raw3(kSysFtruncate, fd, (long)(pages * PAGE), 0);
}
static __attribute__((unused)) int memory_file(unsigned pages) {
  const int fd = (int)raw3(kSysMemfdCreate, (long)"file", 0, 0);
  if (fd < 0 || set_pages(fd, pages)) put("no memory file\n");
  return fd;
}
static __attribute__((unused)) int shm_file(unsigned pages) {
  const char* name = "/dev/shm/faultline-file";
  unlink(name);
  const int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0 || unlink(name) || set_pages(fd, pages)) put("no file in /dev/shm\n");
  return fd;
}
/* Pages [from, from + count). */
static __attribute__((unused)) int fallocate_pages(int fd, int mode, unsigned from, unsigned count) {
  return (int)raw6(kSysFallocate, fd, mode, (long)(from * PAGE), 0, (long)(count * PAGE), 0);
}

static sigjmp_buf bus_return;
static volatile int bus_errors;
static void on_bus_error(int number) {
  (void)number;
  ++bus_errors;
  siglongjmp(bus_return, 1);
}
static __attribute__((unused)) void expect_bus_errors(void) { signal(SIGBUS, on_bus_error); }
/* One access that ends in SIGBUS: counted in bus_errors. */
static NOINLINE __attribute__((unused)) void read_beyond(const char* p) {
  if (!sigsetjmp(bus_return, 1)) (void)read_byte(p);
}
static NOINLINE __attribute__((unused)) void write_beyond(char* p) {
  if (!sigsetjmp(bus_return, 1)) write_byte(p, 1);
}

#define SHARED_RW(at, pages, fd, page) \
  mmap(at, (pages) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (long)((page) * PAGE))
#define SHARED_RO(at, pages, fd, page) mmap(at, (pages) * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, (long)((page) * PAGE))
#define PRIVATE_RW(at, pages, fd, page) \
  mmap(at, (pages) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, (long)((page) * PAGE))
