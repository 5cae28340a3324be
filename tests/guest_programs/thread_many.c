/* K1: 64 threads at once, each with pages of its own. Which of them comes first is chance; how many faults the process takes
 * is not. */
#define _GNU_SOURCE
#include <pthread.h>
#include "support/processes.h"

enum { kThreads = 64, kPages = 4 };
static pthread_barrier_t barrier;
static char* area;

static void* work(void* argument) {
  const unsigned index = (unsigned)(uintptr_t)argument;
  pthread_barrier_wait(&barrier);
  write_pages(area + index * kPages * PAGE, 0, kPages);
  pthread_barrier_wait(&barrier);
  read_pages(area, 0, kThreads * kPages);
  return argument;
}

int main(void) {
  area = map_anon(kThreads * kPages);
  pthread_barrier_init(&barrier, 0, kThreads);
  static pthread_t threads[kThreads];
  static char stacks[kThreads][4 * PAGE] __attribute__((aligned(4096)));
  for (uintptr_t i = 0; i < kThreads; ++i) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stacks[i], sizeof stacks[i]);
    if (pthread_create(&threads[i], &attributes, work, (void*)i) != 0) put("no thread\n");
  }
  uintptr_t sum = 0;
  for (unsigned i = 0; i < kThreads; ++i) {
    void* result;
    pthread_join(threads[i], &result);
    sum += (uintptr_t)result;
  }
  put_line("sum", (long)sum);
  return 0;
}
