/* Rules I1, I2, A3: the kernel's own accesses to user memory in system calls. Files, /dev/zero and a pipe fill
 * untouched buffers (one write fault a page); writing from untouched buffers reads (zero page); small results and paths
 * fault the page they are on; buffers of failing calls that are not reached cost nothing; EFAULT is not counted. */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "support/data_file.h"

enum {
  kSysReadlink = 85,
  kSysLseek = 19,
  kSysClose = 6,
  kSysNanosleep = 162,
  kSysPipe = 42,
  kSysReadv = 145,
  kSysStat64 = 195,
  kSysFstat64 = 197,
  kSysUname = 122,
  kSysOpen = 5,
  kSysGetcwd = 183,
  kSysPoll = 168,
  kSysClockGettime = 265,
  kSysGetrandom = 355,
  kSysPread = 180
};

static char* fresh(unsigned pages) {
  return mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static char* on_fresh_page(const char* text) { /* the text on a page whose PTE is gone again: a file-backed copy */
  char* p = fresh(2);
  for (unsigned i = 0; (p[i] = text[i]) != 0; ++i) {
  }
  return p;
}

static long result;
#define CALL(name, expected, ...)                                         \
  do {                                                                    \
    PHASE(name, result = (__VA_ARGS__));                                  \
    if (result != (long)(expected)) put("unexpected result: " name "\n"); \
  } while (0)

int main(int argc, char** argv) {
  phases_begin();
  const int fd = open_data_file(argc, argv, O_RDONLY);
  char* p = fresh(16);
  CALL("read_file", 16 * PAGE, raw3(kSysRead, fd, (long)p, 16 * PAGE));
  PHASE("read_file_write", write_pages(p, 0, 16));
  if (page_number(p + 9 * PAGE) != 10) put("wrong contents\n");
  CALL("read_again", 16 * PAGE, raw3(kSysRead, fd, (long)p, 16 * PAGE));
  p = fresh(16);
  CALL("read_unaligned", 2 * PAGE, raw3(kSysRead, fd, (long)p + 100, 2 * PAGE));
  p = fresh(16);
  CALL("pread_6_bytes_crossing", 6, raw6(kSysPread, fd, (long)p + PAGE - 2, 6, 0, 0, 0));
  p = fresh(16);
  read_pages(p, 0, 16);
  CALL("read_over_zero_pages", 16 * PAGE, raw3(kSysRead, fd, (long)p, 16 * PAGE));
  raw3(kSysLseek, fd, (kFilePages - 2) * (long)PAGE, 0);
  p = fresh(16);
  CALL("read_short_at_end", 2 * PAGE, raw3(kSysRead, fd, (long)p, 16 * PAGE));
  CALL("read_at_end", 0, raw3(kSysRead, fd, (long)p + 8 * PAGE, PAGE));
  raw3(kSysLseek, fd, 0, 0);
  const int zero = raw3(kSysOpen, (long)"/dev/zero", O_RDONLY, 0);
  p = fresh(16);
  CALL("read_dev_zero", 16 * PAGE, raw3(kSysRead, zero, (long)p, 16 * PAGE));
  PHASE("read_dev_zero_write", write_pages(p, 0, 16));
  int ends[2];
  raw3(kSysPipe, (long)ends, 0, 0);
  p = fresh(8);
  CALL("pipe_write_untouched", 8 * PAGE, raw3(kSysWrite, ends[1], (long)p, 8 * PAGE));
  PHASE("pipe_write_untouched_read", read_pages(p, 0, 8));
  PHASE("pipe_write_untouched_write", write_pages(p, 0, 8));
  p = fresh(8);
  CALL("pipe_read", 8 * PAGE, raw3(kSysRead, ends[0], (long)p, 8 * PAGE));
  PHASE("pipe_read_write", write_pages(p, 0, 8));
  CALL("pipe_write_written", 8 * PAGE, raw3(kSysWrite, ends[1], (long)p, 8 * PAGE));
  char* file = mmap(0, 8 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
  raw3(kSysRead, ends[0], (long)p, 8 * PAGE);
  CALL("pipe_write_file_pages", 8 * PAGE, raw3(kSysWrite, ends[1], (long)file, 8 * PAGE));
  raw3(kSysRead, ends[0], (long)p, 8 * PAGE);
  p = fresh(4);
  const int null = raw3(kSysOpen, (long)"/dev/null", O_WRONLY, 0);
  CALL("write_dev_null", 4 * PAGE, raw3(kSysWrite, null, (long)p, 4 * PAGE));
  struct iovec* iov = (struct iovec*)fresh(1);
  p = fresh(8);
  iov[0] = (struct iovec){p + 10, 100};
  iov[1] = (struct iovec){p + 3 * PAGE - 50, 100};
  CALL("readv", 200, raw3(kSysReadv, fd, (long)iov, 2));

  p = fresh(1);
  CALL("getrusage", 0, raw3(kSysGetrusage, 0, (long)p, 0));
  PHASE("getrusage_write", write_byte(p, 1));
  p = fresh(2);
  CALL("getrusage_crossing", 0, raw3(kSysGetrusage, 0, (long)p + PAGE - 8, 0));
  p = fresh(1);
  CALL("uname", 0, raw3(kSysUname, (long)p, 0, 0));
  p = fresh(1);
  CALL("fstat64", 0, raw3(kSysFstat64, fd, (long)p, 0));
  p = fresh(1);
  CALL("stat64", 0, raw3(kSysStat64, (long)"/dev/null", (long)p, 0));
  p = fresh(1);
  CALL("clock_gettime", 0, raw3(kSysClockGettime, CLOCK_MONOTONIC, (long)p, 0));
  p = fresh(1);
  raw3(kSysGetrusage, 0, (long)p, 0); /* the request {0, 0} after it: tv_sec, tv_nsec */
  p = fresh(1);
  CALL("nanosleep_zero_page_request", 0, raw3(kSysNanosleep, (long)p, 0, 0));
  PHASE("nanosleep_request_write", write_byte(p, 1));
  p = fresh(1);
  CALL("getrandom", 16, raw3(kSysGetrandom, (long)p, 16, 0));
  p = fresh(1);
  CALL("getcwd_too_small_is_ERANGE", -34, raw3(kSysGetcwd, (long)p, 1, 0));
  struct pollfd* polls = (struct pollfd*)fresh(1);
  CALL("poll_zeroed_entry", 0, raw3(kSysPoll, (long)polls, 1, 0)); /* read, then revents written */
  p = fresh(1);
  CALL("readlink_result", -22, raw3(kSysReadlink, (long)"/dev/null", (long)p, 64)); /* EINVAL: no link */
  p = fresh(1);
  PHASE("readlink_proc_self_exe", result = raw3(kSysReadlink, (long)"/proc/self/exe", (long)p, 64));
  if (result < 2 || p[0] != '/') put("wrong link\n");
  p = fresh(1);
  CALL("path_zero_page_is_ENOENT", -2, raw3(kSysOpen, (long)p, O_RDONLY, 0));
  p = on_fresh_page("/dev/null");
  CALL("path_present", 0, raw3(kSysStat64, (long)p, (long)p + 100, 0));
  char* path_in_file = mmap(0, 32 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
  CALL("path_on_file_page_is_ENOENT", -2, raw3(kSysOpen, (long)path_in_file, O_RDONLY, 0)); /* page 0 starts "" */
  PHASE("its_window", read_pages(path_in_file, 0, 16 - ((uintptr_t)path_in_file / PAGE) % 16));

  /* Failing calls. */
  p = fresh(8);
  CALL("bad_fd_read", -9, raw3(kSysRead, 999, (long)p, PAGE));
  CALL("bad_fd_write", -9, raw3(kSysWrite, 999, (long)p, PAGE));
  CALL("bad_fd_fstat", -9, raw3(kSysFstat64, 999, (long)p, 0));
  CALL("read_to_nowhere_is_EFAULT", -14, raw3(kSysRead, fd, 16, PAGE));
  CALL("path_nowhere_is_EFAULT", -14, raw3(kSysOpen, 16, O_RDONLY, 0));
  CALL("result_nowhere_is_EFAULT", -14, raw3(kSysGetrusage, 0, 16, 0));
  munmap(p + 4 * PAGE, 4 * PAGE);
  CALL("write_across_the_end_is_short", 2 * PAGE, raw3(kSysWrite, ends[1], (long)p + 2 * PAGE, 4 * PAGE));
  raw3(kSysRead, ends[0], (long)p, 2 * PAGE);
  p = fresh(8);
  mprotect(p + 2 * PAGE, PAGE, PROT_READ);
  CALL("read_across_read_only_is_short", 2 * PAGE, raw3(kSysRead, zero, (long)p, 4 * PAGE));
  CALL("zero_bytes", 0, raw3(kSysRead, fd, (long)p + 4 * PAGE, 0));
  return phases_print();
}
