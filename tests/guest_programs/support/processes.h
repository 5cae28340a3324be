/* Support for the programs with several processes: children that count their faults by phase, and turns, which order what
 * parent and child do.
 *
 * The order must be the same in every run, natively too. A child sleeps first, so that its parent is already asleep in
 * wait4 (and owes the write of rseq, rule H6) when the child goes on; who has to be second waits for his turn. Each
 * process prints its own phases: a child before its parent does, because the parent waits.
 *
 * settle() makes a process's own image, 64 KiB of stack and its thread's data present and writable, so that the phases
 * after a fork hold only what they do themselves.
 */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

enum { kSysWait4 = 114, kSysNanosleep = 162 };

static __attribute__((unused)) void settle(void) {
  const int count = phase_count;
  errno = 0;
  phases_begin();
  phase_count = count;
}

/* 5 ms: longer than a parent needs to its next wait. */
static __attribute__((unused)) void nap(void) {
  const long time[2] = {0, 5000000};
  raw3(kSysNanosleep, (long)time, 0, 0);
}

static void add_phase(const char* name, long minor, long major) {
  if (phase_count == (int)(sizeof phase_table / sizeof phase_table[0])) __builtin_trap();
  phase_table[phase_count++] = (struct phase){name, minor, major};
}

static void put_line(const char* text, long number) {
  char line[128], *out = line;
  while (*text) *out++ = *text++;
  *out++ = ' ';
  out = put_number(out, number);
  *out++ = '\n';
  *out = 0;
  put(line);
}

/* Waits for one child. A child that ends otherwise than with status 0 is shown. */
static long wait_usage[18];
static NOINLINE __attribute__((unused)) int wait_for(pid_t pid) {
  int status = 0;
  if (raw6(kSysWait4, pid, (long)&status, 0, (long)wait_usage, 0, 0) != pid) put("wait failed\n");
  if (status) put_line("status", status);
  return status;
}

/* In the child 1, and the child has settled. In the parent 0, after the child's end, with the child's faults as a phase of
 * that name, and settled again. */
static NOINLINE __attribute__((unused)) int child_does(const char* name) {
  const pid_t pid = fork();
  if (pid == 0) {
    nap();
    settle();
    phase_count = 0;
    put(name);
    put(":\n");
    return 1;
  }
  wait_for(pid);
  settle();
  (void)name;
  return 0;
}
static NOINLINE __attribute__((unused)) void child_ends(void) {
  phases_print();
  raw3(kSysExit, 0, 0, 0);
}

#define CHILD(name, ...)    \
  do {                      \
    if (child_does(name)) { \
      __VA_ARGS__;          \
      child_ends();         \
    }                       \
  } while (0)

/* Whose turn it is: a pipe with one byte. */
struct turn {
  int fd[2];
};
static __attribute__((unused)) void make_turn(struct turn* t) {
  if (pipe(t->fd) != 0) put("pipe failed\n");
}
static __attribute__((unused)) void give_turn(struct turn* t) { raw3(kSysWrite, t->fd[1], (long)"", 1); }
static __attribute__((unused)) void await_turn(struct turn* t) {
  char c;
  if (raw3(kSysRead, t->fd[0], (long)&c, 1) != 1) put("no turn\n");
}

static __attribute__((unused)) char* map_anon(unsigned pages) { return mmap(0, pages * PAGE, RW, ANON, -1, 0); }
/* With an unmapped page on either side, so that it merges with nothing. */
static __attribute__((unused)) char* map_apart(unsigned pages) {
  char* p = mmap(0, (pages + 2) * PAGE, PROT_NONE, ANON, -1, 0);
  return mmap(p + PAGE, pages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
}
