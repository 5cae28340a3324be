/* I1, I2, I3 across processes: a pipe's bytes into an untouched buffer and out of one, on both sides of a fork; results of
 * wait calls in untouched pages and in pages that are shared since the fork; a signal's frame on a stack page that the child
 * never touched, and on one that it shares with its parent. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/uio.h>
#include "support/processes.h"

static int to_child[2], to_parent[2];
static volatile int signals;

static void on_signal(int number) {
  (void)number;
  ++signals;
}

static void read_all(int fd, char* to, unsigned bytes) {
  while (bytes) {
    const long n = raw3(kSysRead, fd, (long)to, bytes);
    if (n <= 0) {
      put("read failed\n");
      return;
    }
    to += n;
    bytes -= (unsigned)n;
  }
}

int main(void) {
  phases_begin();
  char* in = map_apart(8);     /* untouched */
  char* out = map_apart(8);    /* untouched */
  char* used = map_apart(8);   /* written before the fork */
  char* result = map_apart(4); /* one page for each result */
  char* alternate = map_apart(4);
  write_pages(used, 0, 8);
  if (pipe(to_child) != 0 || pipe(to_parent) != 0) put("pipe failed\n");

  pid_t pid = fork();
  if (pid == 0) {
    nap();
    settle();
    phase_count = 0;
    PHASE("child_reads_into_untouched", read_all(to_child[0], in, 4 * PAGE));
    PHASE("child_writes_there", write_pages(in, 0, 8));
    PHASE("child_reads_into_shared", read_all(to_child[0], used, 2 * PAGE));
    PHASE("child_writes_shared", write_pages(used, 0, 4));
    PHASE("child_sends_untouched", raw3(kSysWrite, to_parent[1], (long)out, 4 * PAGE));
    PHASE("child_writes_sent", write_pages(out, 0, 4));
    child_ends();
  }
  settle();
  PHASE("parent_sends_untouched", raw3(kSysWrite, to_child[1], (long)out, 4 * PAGE));
  PHASE("parent_writes_sent", write_pages(out, 0, 4));
  PHASE("parent_sends_shared", raw3(kSysWrite, to_child[1], (long)used, 2 * PAGE));
  PHASE("parent_reads_into_shared", read_all(to_parent[0], used, 4 * PAGE));
  PHASE("parent_writes_shared", write_pages(used, 0, 8));
  wait_for(pid);

  /* Results. */
  for (int shared = 0; shared < 2; ++shared) {
    if (shared) write_pages(result, 0, 4);
    pid = fork();
    if (pid == 0) {
      nap();
      _exit(3);
    }
    settle();
    PHASE("waitid_no_reap", raw6(SYS_waitid, P_PID, pid, (long)result, WEXITED | WNOWAIT, (long)(result + PAGE), 0));
    PHASE("wait4", raw6(kSysWait4, pid, (long)(result + 2 * PAGE), 0, (long)(result + 3 * PAGE), 0, 0));
  }

  /* A frame on a page of its own: sigaltstack on an untouched page, on a shared one. */
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
  sigaction(SIGUSR1, &action, 0);
  write_byte(alternate + PAGE, 1);
  pid = fork();
  if (pid == 0) {
    nap();
    settle();
    phase_count = 0;
    stack_t stack = {.ss_sp = alternate + 2 * PAGE, .ss_size = 2 * PAGE};
    sigaltstack(&stack, 0);
    PHASE("frame_on_untouched", raise(SIGUSR1));
    PHASE("frame_again", raise(SIGUSR1));
    stack.ss_sp = alternate;
    sigaltstack(&stack, 0);
    PHASE("frame_on_shared", raise(SIGUSR1));
    put_line("signals", signals);
    child_ends();
  }
  /* The parent sends one while the child sleeps in a read, then the byte. */
  wait_for(pid);
  settle();
  pid = fork();
  if (pid == 0) {
    settle();
    phase_count = 0;
    char c;
    raw3(kSysWrite, to_parent[1], (long)"", 1);
    phase_start();
    const long n = raw3(kSysRead, to_child[0], (long)&c, 1);
    phase_end("interrupted_read");
    put_line("read gives", n);
    put_line("signals", signals);
    child_ends();
  }
  settle();
  char c;
  read_all(to_parent[0], &c, 1);
  nap();
  kill(pid, SIGUSR1);
  wait_for(pid);

  /* Vectors in untouched pages, gathered from three of them. */
  out = map_apart(8);
  CHILD("child gathers", struct iovec* v = (struct iovec*)(out + 6 * PAGE);
        for (int i = 0; i < 3; ++i) v[i] = (struct iovec){out + i * PAGE, PAGE};
        PHASE("writev", raw3(SYS_writev, to_parent[1], (long)v, 3)));
  struct iovec* v = (struct iovec*)map_apart(1);
  for (int i = 0; i < 3; ++i) v[i] = (struct iovec){out + i * PAGE, PAGE};
  PHASE("readv", raw3(SYS_readv, to_parent[0], (long)v, 3));
  return phases_print();
}
