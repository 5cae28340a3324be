/* H4: the first faults after a fork, by a child and a parent that do nothing else: libc's fork with the child's number in
 * its thread's data, the bare system call, clone with and without CLONE_CHILD_SETTID, a process that reads a clock. */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/syscall.h>
#include "support/processes.h"

static int number;

/* No stack: the child goes on where it is, as after fork. */
static NOINLINE pid_t bare(long flags, int* child_tid) {
  return (pid_t)raw6(SYS_clone, flags | SIGCHLD, 0, 0, 0, (long)child_tid, 0);
}

int main(void) {
  pid_t pid = fork();
  if (pid == 0) {
    nap();
    _exit(1);
  }
  wait_for(pid);

  pid = (pid_t)raw3(2, 0, 0, 0);
  if (pid == 0) {
    nap();
    raw3(kSysExit, 2, 0, 0);
  }
  wait_for(pid);

  pid = bare(CLONE_CHILD_SETTID, &number);
  if (pid == 0) {
    nap();
    raw3(kSysExit, number == (int)raw3(SYS_gettid, 0, 0, 0) ? 3 : 33, 0, 0);
  }
  wait_for(pid);

  /* With CLONE_PARENT_SETTID it is written for the parent alone, after the copy. */
  pid = (pid_t)raw6(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, 0, (long)&number, 0, 0, 0);
  if (pid == 0) {
    nap();
    raw3(kSysExit, number == 0 ? 4 : 44, 0, 0);
  }
  put(number == pid ? "the number is the child's\n" : "no number\n");
  wait_for(pid);

  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  pid = fork();
  if (pid == 0) {
    nap();
    clock_gettime(CLOCK_MONOTONIC, &now);
    exit(5);
  }
  wait_for(pid);
  clock_gettime(CLOCK_MONOTONIC, &now);

  /* A child of a child; both do what libc does at exit. */
  pid = fork();
  if (pid == 0) {
    nap();
    pid = fork();
    if (pid == 0) {
      nap();
      exit(6);
    }
    wait_for(pid);
    exit(7);
  }
  wait_for(pid);
  return 0;
}
