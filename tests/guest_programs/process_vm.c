/* process_vm_readv and process_vm_writev: bytes over several segments, errors and their order, what was moved before an
 * error, rights; process_madvise. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "support/say.h"

#define PAGE 4096u
enum { kPidfdOpen = 434, kProcessMadvise = 440 };
static char* area;
static char buffer[4 * PAGE];

static const char* moved(long result) {
  static char text[32];
  if (result == -1) return error_name(errno);
  snprintf(text, sizeof text, "%ld", result);
  return text;
}
static long readv_of(pid_t pid, void* to, size_t to_size, void* from, size_t from_size) {
  const struct iovec local = {to, to_size}, remote = {from, from_size};
  return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}
static long writev_of(pid_t pid, void* from, size_t from_size, void* to, size_t to_size) {
  const struct iovec local = {from, from_size}, remote = {to, to_size};
  return process_vm_writev(pid, &local, 1, &remote, 1, 0);
}

static void errors(pid_t child) {
  const struct iovec one = {buffer, 8}, negative = {buffer, (size_t)-1}, kernel = {(void*)-4096, 8}, empty = {0, 0};
  say("flags: %s", moved(process_vm_readv(child, &one, 1, &one, 1, 1)));
  say("too many local: %s", moved(process_vm_readv(child, &one, 1025, &one, 1, 0)));
  say("too many remote: %s", moved(process_vm_readv(child, &one, 1, &one, 1025, 0)));
  say("bad local vector: %s", moved(process_vm_readv(child, (void*)8, 1, &one, 1, 0)));
  say("bad remote vector: %s", moved(process_vm_readv(child, &one, 1, (void*)8, 1, 0)));
  say("negative local: %s", moved(process_vm_readv(child, &negative, 1, &one, 1, 0)));
  say("negative remote: %s", moved(process_vm_readv(child, &one, 1, &negative, 1, 0)));
  say("no local, bad remote: %s", moved(process_vm_readv(child, &empty, 1, (void*)8, 1, 0)));
  say("no remote, no process: %s", moved(process_vm_readv(99999, &one, 1, &empty, 1, 0)));
  say("no process: %s", moved(process_vm_readv(99999, &one, 1, &one, 1, 0)));
  say("remote kernel: %s", moved(process_vm_readv(child, &one, 1, &kernel, 1, 0)));
  say("remote hole: %s", moved(readv_of(child, buffer, 8, (void*)8, 8)));
  say("local bad: %s", moved(readv_of(child, (void*)8, 8, area, 8)));
  say("into the hole: %s", moved(readv_of(child, buffer, 4 * PAGE, area + 6 * PAGE, 4 * PAGE)));
  say("write read-only: %s", moved(writev_of(child, buffer, 8, area + 4 * PAGE, 8)));
  say("write into read-only: %s", moved(writev_of(child, buffer, 2 * PAGE, area + 3 * PAGE, 2 * PAGE)));
  say("read no access: %s", moved(readv_of(child, buffer, 8, area + 5 * PAGE, 8)));
}

static void advise(pid_t child) {
  const int fd = (int)syscall(kPidfdOpen, child, 0);
  const struct iovec parts[2] = {{area, PAGE}, {area + 2 * PAGE, PAGE}}, hole[2] = {{area, PAGE}, {area + 8 * PAGE, PAGE}};
  say("advise: %s", moved(syscall(kProcessMadvise, fd, parts, 2, MADV_WILLNEED, 0)));
  say("advise a hole second: %s", moved(syscall(kProcessMadvise, fd, hole, 2, MADV_WILLNEED, 0)));
  say("advise a hole: %s", moved(syscall(kProcessMadvise, fd, hole + 1, 1, MADV_WILLNEED, 0)));
  say("advise dontneed: %s", moved(syscall(kProcessMadvise, fd, parts, 2, MADV_DONTNEED, 0)));
  say("advise flags: %s", moved(syscall(kProcessMadvise, fd, parts, 2, MADV_WILLNEED, 1)));
  say("advise no pidfd: %s", moved(syscall(kProcessMadvise, 1, parts, 2, MADV_WILLNEED, 0)));
  say("advise bad vector: %s", moved(syscall(kProcessMadvise, fd, (void*)8, 2, MADV_WILLNEED, 0)));
  close(fd);
}

int main(void) {
  int ready[2], go[2], status;
  char byte;
  area = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  /* Nothing stands above. */
  area = mremap(area, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 0x20000000);
  memset(area, 'x', PAGE);
  if (pipe(ready) || pipe(go)) return 2;
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 4; ++i) memset(area + i * PAGE, 'a' + i, PAGE);
    mprotect(area + 4 * PAGE, PAGE, PROT_READ);
    mprotect(area + 5 * PAGE, PAGE, PROT_NONE);
    if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) != 1) _exit(1);
    say("child has %c%c %.5s", area[0], area[PAGE], area + 2 * PAGE - 2);
    prctl(PR_SET_DUMPABLE, 0);
    if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  if (read(ready[0], &byte, 1) != 1) return 2;
  errors(child);
  say("own: %c", area[0]);
  struct iovec local[2] = {{buffer, 3}, {buffer + PAGE - 2, 6}};
  struct iovec remote[3] = {{area + PAGE - 2, 4}, {area + 3 * PAGE, 1}, {area + 2 * PAGE, 4}};
  say("vectors: %s", moved(process_vm_readv(child, local, 2, remote, 3, 0)));
  say("got %.3s %.6s", buffer, buffer + PAGE - 2);
  memcpy(buffer, "hello", 5);
  say("write: %s", moved(writev_of(child, buffer, 5, area + 2 * PAGE - 2, 100)));
  advise(child);
  if (write(go[1], "g", 1) != 1 || read(ready[0], &byte, 1) != 1) return 2;
  say("own: %c", area[0]);
  if (setgid(65534) || setuid(65534)) return 2;
  say("not dumpable, as another user: %s", moved(readv_of(child, buffer, 1, area, 1)));
  say("oneself: %s", moved(readv_of(getpid(), buffer, 1, area, 1)));
  if (write(go[1], "g", 1) != 1) return 2;
  siginfo_t info;
  waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
  say("a zombie: %s", moved(readv_of(child, buffer, 1, area, 1)));
  waitpid(child, &status, 0);
  say("status %d", status);
  return 0;
}
