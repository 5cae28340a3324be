/* K1: threads of one process: each thread's faults are its own, pages are there for all. One after the other (join), then
 * two that take turns; the stack of a thread, its data, RUSAGE_THREAD; a fork in a thread copies the others' stacks too. */
#define _GNU_SOURCE
#include <pthread.h>
#include "support/processes.h"

enum { kPages = 32, kRusageThread = 1 };
static char* area;
static struct turn to_first, to_second;

static NOINLINE long own_faults(void) {
  long usage[18];
  raw3(kSysGetrusage, kRusageThread, (long)usage, 0);
  return usage[8];
}

static void* write_quarter(void* argument) {
  const unsigned from = *(unsigned*)argument;
  const long before = own_faults();
  write_pages(area, from, from + kPages / 4);
  return (void*)(own_faults() - before);
}

static NOINLINE int deep(int depth) {
  volatile char page[PAGE];
  page[0] = 1;
  return depth ? deep(depth - 1) + page[0] : 0;
}
static void* use_stack(void* argument) {
  (void)argument;
  const long before = own_faults();
  deep(16);
  return (void*)(own_faults() - before);
}

static void* first(void* argument) {
  (void)argument;
  for (unsigned i = 0; i < kPages; i += 4) {
    await_turn(&to_first);
    write_pages(area, i, i + 2);
    give_turn(&to_second);
  }
  return 0;
}
static void* second(void* argument) {
  (void)argument;
  for (unsigned i = 0; i < kPages; i += 4) {
    await_turn(&to_second);
    read_pages(area, i, i + 4);
    write_pages(area, i, i + 4);
    give_turn(&to_first);
  }
  return 0;
}

static void* forks(void* argument) {
  nap();
  const pid_t pid = fork();
  if (pid == 0) {
    nap();
    read_pages(area, 0, kPages);
    write_pages(area, 0, kPages);
    (void)*(volatile char*)argument;
    _exit(0);
  }
  wait_for(pid);
  return (void*)wait_usage[8];
}

/* The parent is asleep in pthread_join when the thread goes on. */
static void* naps(void* argument) {
  nap();
  return argument;
}

static long run(void* (*body)(void*), void* argument) {
  pthread_t thread;
  void* result = 0;
  pthread_create(&thread, 0, body, argument);
  pthread_join(thread, &result);
  return (long)result;
}

int main(void) {
  area = map_anon(kPages);
  run(naps, 0);
  for (unsigned i = 0; i < 4; ++i) {
    unsigned from = i * (kPages / 4);
    put_line("quarter", run(write_quarter, &from));
  }
  unsigned again = 0;
  put_line("first quarter again", run(write_quarter, &again));
  put_line("stack", run(use_stack, 0));
  put_line("the same stack", run(use_stack, 0));

  area = map_anon(kPages);
  make_turn(&to_first);
  make_turn(&to_second);
  pthread_t threads[2];
  pthread_create(&threads[0], 0, first, 0);
  pthread_create(&threads[1], 0, second, 0);
  give_turn(&to_first);
  pthread_join(threads[0], 0);
  pthread_join(threads[1], 0);

  char local = 1;
  run(forks, &local);
  write_pages(area, 0, kPages);
  put("done\n");
  return 0;
}
