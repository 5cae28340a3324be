/* I1, G, E: the kernel's accesses to shared memory, files and copies: read() into them is a write fault for each page, and
 * one to a clean shared file page; write() from them takes read faults with their windows. Between areas of one call too. */
#include <sys/uio.h>
#include "support/processes.h"
#include "support/shared_files.h"

enum { kPages = 32 };

int main(int argc, char** argv) {
  phases_begin();
  const int data = open_data_file(argc, argv, O_RDWR), memory = memory_file(kPages), zero = open("/dev/zero", O_RDONLY);
  const int null = open("/dev/null", O_WRONLY);
  char* base = reserve_aligned(8);
  char* s = SHARED_RW(base, kPages, memory, 0);
  char* ro = SHARED_RO(base + 64 * PAGE, kPages, memory, 0);
  char* file = SHARED_RW(base + 128 * PAGE, 64, data, 0);
  char* priv = PRIVATE_RW(base + 192 * PAGE, 64, data, 64);
  int pipe_fd[2];
  int failed = pipe(pipe_fd);
  PHASE("read_to_shared", failed |= read(zero, s + 100, 7 * PAGE) != 7 * PAGE);
  PHASE("write_from_shared", failed |= write(pipe_fd[1], ro, 12 * PAGE) != 12 * PAGE);
  PHASE("pipe_to_file", failed |= read(pipe_fd[0], file + 8 * PAGE, 12 * PAGE) != 12 * PAGE);
  PHASE("from_file", failed |= write(pipe_fd[1], file + 2 * PAGE, 12 * PAGE) != 12 * PAGE);
  PHASE("to_private", failed |= read(pipe_fd[0], priv + 8 * PAGE, 12 * PAGE) != 12 * PAGE);
  PHASE("from_private", failed |= write(pipe_fd[1], priv, 16 * PAGE) != 16 * PAGE);
  PHASE("to_read", read_pages(file, 32, 40); failed |= read(pipe_fd[0], file + 32 * PAGE, 16 * PAGE) != 16 * PAGE);
  PHASE("read_only", failed |= read(zero, ro + 4 * PAGE, PAGE) != -1);
  PHASE("null", failed |= write(null, priv + 32 * PAGE, 8 * PAGE) != 8 * PAGE);
  struct iovec parts[3] = {{s + 20 * PAGE, 2 * PAGE}, {file + 56 * PAGE, 3 * PAGE}, {priv + 40 * PAGE, 3 * PAGE}};
  PHASE("readv", failed |= readv(zero, parts, 3) != 8 * PAGE);
  PHASE("pread", failed |= pread(data, s + 24 * PAGE, 4 * PAGE, 100) != 4 * PAGE);
  failed |= madvise(file, 64 * PAGE, MADV_DONTNEED);
  PHASE("synced", failed |= fsync(data); read_pages(file, 0, 16); failed |= read(zero, file, 4 * PAGE) != 4 * PAGE);
  CHILD("child", PHASE("shared", failed |= read(zero, s, 8 * PAGE) != 8 * PAGE);
        PHASE("private", failed |= read(zero, priv + 16 * PAGE, 8 * PAGE) != 8 * PAGE);
        PHASE("file", failed |= read(zero, file + 8 * PAGE, 8 * PAGE) != 8 * PAGE); if (failed) put("a call failed\n"));
  PHASE("parent", failed |= read(zero, priv + 8 * PAGE, 12 * PAGE) != 12 * PAGE);
  if (failed) put("a call failed\n");
  return phases_print();
}
