/* Many tasks at once, processes of several threads each, that make memory calls at random in a window of their own and
 * check every page against a model: mmap over what is there, munmap, mprotect, madvise, mremap, mlock, reads, writes,
 * system calls on bad pages, forks whose children see the same and change their copies. All are alive at the same time.
 * Arguments: processes (40), calls a task (150), seed (1). A process has five tasks: its main thread and four others. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "support/say.h"

enum { kPages = 96, kThreads = 5, kPage = 4096 };

struct task {
  unsigned random;
  char* window;
  int null_fd;
  unsigned forks, calls, digest;
  struct {
    unsigned char mapped, readable, writable, shared, value;
  } page[kPages];
};

static unsigned next(struct task* t, unsigned below) {
  t->random = t->random * 1664525 + 1013904223;
  return (t->random >> 9) % below;
}
static volatile char* at(struct task* t, unsigned page) { return t->window + page * kPage; }

static void check(struct task* t, unsigned page, const char* when) {
  if (!t->page[page].readable) return;
  const unsigned char low = (unsigned char)at(t, page)[0], high = (unsigned char)at(t, page)[kPage - 1];
  if (low != t->page[page].value || high != t->page[page].value) {
    say("%s: page %u holds %u and %u, not %u", when, page, low, high, t->page[page].value);
    _exit(96);
  }
}
static void store(struct task* t, unsigned page, unsigned char value) {
  at(t, page)[0] = (char)value;
  at(t, page)[kPage - 1] = (char)value;
  t->page[page].value = value;
}
static int all_mapped(struct task* t, unsigned from, unsigned count) {
  for (unsigned i = 0; i < count; ++i)
    if (!t->page[from + i].mapped) return 0;
  return 1;
}

static void forks(struct task* t) {
  /* Raw, without libc's handlers: other threads may hold its locks. */
  const long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  MUST(pid >= 0);
  if (pid == 0) {
    for (unsigned i = 0; i < kPages; ++i) {
      check(t, i, "child");
      if (t->page[i].writable && !t->page[i].shared && i % 3 == 0) store(t, i, (unsigned char)(t->page[i].value + 1));
    }
    for (unsigned i = 0; i < kPages; ++i) check(t, i, "changed child");
    syscall(SYS_exit_group, 5);
  }
  int status = 0;
  long got;
  do got = syscall(SYS_wait4, pid, &status, 0, NULL);
  while (got == -1 && errno == EINTR);
  if (got != pid || status != 5 << 8) {
    say("child: %s", status_text(status));
    _exit(95);
  }
  for (unsigned i = 0; i < kPages; ++i) check(t, i, "after a fork");
  ++t->forks;
}

static void call(struct task* t) {
  const unsigned from = next(t, kPages), count = 1 + next(t, kPages - from < 24 ? kPages - from : 24);
  char* const start = t->window + from * kPage;
  const unsigned size = count * kPage;
  ++t->calls;
  switch (next(t, 14)) {
    case 0:
    case 1: {
      const int writable = next(t, 4) != 0, shared = next(t, 4) == 0;
      const int flags = (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED | (next(t, 6) == 0 ? MAP_POPULATE : 0);
      MUST(mmap(start, size, PROT_READ | (writable ? PROT_WRITE : 0), flags, -1, 0) == start);
      for (unsigned i = from; i < from + count; ++i) {
        t->page[i].mapped = t->page[i].readable = 1;
        t->page[i].writable = (unsigned char)writable;
        t->page[i].shared = (unsigned char)shared;
        t->page[i].value = 0;
      }
      break;
    }
    case 2:
      MUST(munmap(start, size) == 0);
      memset(&t->page[from], 0, count * sizeof t->page[0]);
      break;
    case 3:
    case 4: {
      const int rights = (int)next(t, 3);
      const int result = mprotect(start, size, rights == 0 ? PROT_NONE : rights == 1 ? PROT_READ : PROT_READ | PROT_WRITE);
      MUST((result == 0) == all_mapped(t, from, count));
      /* What lies before a hole is changed all the same. */
      for (unsigned i = from; i < from + count && t->page[i].mapped; ++i) {
        t->page[i].readable = rights > 0;
        t->page[i].writable = rights > 1;
      }
      break;
    }
    case 5:
      MUST((madvise(start, size, MADV_DONTNEED) == 0) == all_mapped(t, from, count));
      for (unsigned i = from; i < from + count; ++i)
        if (t->page[i].mapped && !t->page[i].shared) t->page[i].value = 0;
      break;
    case 6: {
      /* A fresh mapping that moves within the window. */
      const unsigned length = 1 + next(t, 8), to = next(t, kPages - length);
      char* fresh = mmap(NULL, length * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      MUST(fresh != MAP_FAILED);
      for (unsigned i = 0; i < length; ++i)
        if (i % 2 == 0) fresh[i * kPage] = fresh[i * kPage + kPage - 1] = (char)(i + 50);
      MUST(mremap(fresh, length * kPage, length * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, t->window + to * kPage) ==
           t->window + to * kPage);
      for (unsigned i = 0; i < length; ++i) {
        t->page[to + i].mapped = t->page[to + i].readable = t->page[to + i].writable = 1;
        t->page[to + i].shared = 0;
        t->page[to + i].value = i % 2 == 0 ? (unsigned char)(i + 50) : 0;
      }
      break;
    }
    case 7: {
      /* The kernel looks at the page for us. */
      const int got = (int)write(t->null_fd, start, 1), readable = t->page[from].readable;
      MUST(readable ? got == 1 : got == -1 && errno == EFAULT);
      break;
    }
    case 8:
      if (count <= 4 && all_mapped(t, from, count)) {
        /* It fails where a page has no rights, and leaves the area locked then. */
        (void)!mlock(start, size);
        MUST(munlock(start, size) == 0);
      }
      break;
    case 9:
      forks(t);
      break;
    case 10:
      sched_yield();
      break;
    default:
      for (unsigned i = from; i < from + count; ++i) {
        check(t, i, "before a write");
        if (t->page[i].writable) store(t, i, (unsigned char)next(t, 256));
      }
  }
  t->digest = t->digest * 31 + t->page[from].value + from;
}

static pthread_barrier_t all_here;
static unsigned calls;
static void* work(void* argument) {
  struct task* t = argument;
  pthread_barrier_wait(&all_here);
  for (unsigned i = 0; i < calls; ++i) call(t);
  for (unsigned i = 0; i < kPages; ++i) check(t, i, "at the end");
  pthread_barrier_wait(&all_here);
  if (next(t, 3) == 0) MUST(munmap(t->window, kPages * kPage) == 0);
  return NULL;
}

/* One process; the end of `go` lets it begin, its digest goes into `out`. */
static void process(unsigned seed, struct gate ready, int go, int out) {
  static struct task tasks[kThreads];
  pthread_t threads[kThreads];
  MUST(pthread_barrier_init(&all_here, NULL, kThreads) == 0);
  int null_pipe[2];
  MUST(pipe(null_pipe) == 0);
  for (unsigned i = 0; i < kThreads; ++i) {
    tasks[i].random = seed * 97 + i;
    tasks[i].window = (char*)0x50000000 + i * 0x400000;
    tasks[i].null_fd = null_pipe[1];
  }
  tell(ready);
  char byte;
  MUST(read(go, &byte, 1) == 0);
  for (unsigned i = 1; i < kThreads; ++i) MUST(pthread_create(&threads[i], NULL, work, &tasks[i]) == 0);
  work(&tasks[0]);
  for (unsigned i = 1; i < kThreads; ++i) MUST(pthread_join(threads[i], NULL) == 0);
  unsigned sums[3] = {0, 0, 0};
  for (unsigned i = 0; i < kThreads; ++i) {
    sums[0] += tasks[i].calls;
    sums[1] += tasks[i].forks;
    sums[2] += tasks[i].digest;
  }
  MUST(write(out, sums, sizeof sums) == sizeof sums);
  _exit((int)(seed % 50));
}

int main(int argc, char** argv) {
  const unsigned processes = argc > 1 ? (unsigned)atoi(argv[1]) : 40;
  calls = argc > 2 ? (unsigned)atoi(argv[2]) : 150;
  const unsigned seed = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
  MUST(processes > 0 && processes <= 200);
  struct gate ready = new_gate();
  int go[2], out[2];
  MUST(pipe(go) == 0 && pipe(out) == 0);
  pid_t pids[200];
  for (unsigned i = 0; i < processes; ++i) {
    pids[i] = must_fork();
    if (pids[i] == 0) {
      close(go[1]);
      process(seed * 1000 + i, ready, go[0], out[1]);
    }
  }
  for (unsigned i = 0; i < processes; ++i) wait_for(ready);
  close(go[1]);
  unsigned wrong = 0, total[3] = {0, 0, 0};
  for (unsigned i = 0; i < processes; ++i) {
    const int status = must_wait(pids[i]);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != (int)((seed * 1000 + i) % 50)) {
      say("process %u: %s", i, status_text(status));
      ++wrong;
      continue;
    }
    unsigned sums[3];
    MUST(read(out[0], sums, sizeof sums) == sizeof sums);
    for (int j = 0; j < 3; ++j) total[j] += sums[j];
  }
  say("%u tasks: %u calls, %u forks, digest %08x, %u wrong", processes * kThreads, total[0], total[1], total[2], wrong);
  return wrong != 0;
}
