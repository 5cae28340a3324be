/* pthread_create and join of 64 threads, thread-local storage, pthread_once, keys and their destructors, detached
 * threads, attributes, stacks, and what the threads of a process share. */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "support/say.h"

enum { kThreads = 64 };
static __thread int counter = 7;
static __thread char zeroed[300];
static __thread long long aligned __attribute__((aligned(64))) = -1;
static int tids[kThreads];

static void* work(void* argument) {
  const int number = (int)(long)argument;
  int good = counter == 7 && aligned == -1 && ((unsigned long)&aligned & 63) == 0;
  for (unsigned i = 0; i < sizeof zeroed; ++i) good &= zeroed[i] == 0;
  for (int i = 0; i < 1000; ++i) {
    counter += number;
    zeroed[i % 300] = (char)number;
    if (i % 100 == 0) sched_yield();
  }
  good &= counter == 7 + 1000 * number;
  for (unsigned i = 0; i < sizeof zeroed; ++i) good &= zeroed[i] == (char)number;
  tids[number] = (int)syscall(SYS_gettid);
  return (void*)(long)(good ? number * number : -1);
}

static void create_and_join(void) {
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; ++i) MUST(pthread_create(&threads[i], NULL, work, (void*)i) == 0);
  long sum = 0;
  int distinct = 0;
  for (int i = 0; i < kThreads; ++i) {
    void* result;
    MUST(pthread_join(threads[i], &result) == 0);
    sum += (long)result;
  }
  for (int i = 0; i < kThreads; ++i) {
    int same = tids[i] == getpid();
    for (int j = 0; j < i; ++j) same += tids[i] == tids[j];
    distinct += same == 0;
  }
  say("64 threads: sum %ld, %d different tids, our counter %d", sum, distinct, counter);
  /* One after the other: stacks and descriptors of threads that have ended are used again. */
  sum = 0;
  for (long i = 0; i < 500; ++i) {
    void* result;
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, work, (void*)(i % kThreads)) == 0 && pthread_join(thread, &result) == 0);
    sum += (long)result;
  }
  say("500 in turn: sum %ld", sum);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int initialised;
static void initialise(void) {
  usleep(1000); /* the others come while it runs */
  ++initialised;
}
static void* uses_once(void* argument) {
  pthread_once(&once, initialise);
  *(int*)argument = initialised;
  return NULL;
}

static void only_once(void) {
  pthread_t threads[16];
  int seen[16], good = 0;
  for (int i = 0; i < 16; ++i) MUST(pthread_create(&threads[i], NULL, uses_once, &seen[i]) == 0);
  for (int i = 0; i < 16; ++i) MUST(pthread_join(threads[i], NULL) == 0);
  for (int i = 0; i < 16; ++i) good += seen[i] == 1;
  say("once: called %d time, seen by %d", initialised, good);
}

static pthread_key_t key, other_key;
static int destroyed, sum_destroyed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void destroy(void* value) {
  pthread_mutex_lock(&lock);
  ++destroyed;
  sum_destroyed += (int)(long)value;
  pthread_mutex_unlock(&lock);
  /* A destructor that sets the other key is followed by another round. */
  if ((long)value < 100) pthread_setspecific(other_key, (void*)1000);
}
static void* uses_key(void* argument) {
  pthread_setspecific(key, argument);
  sched_yield();
  return pthread_getspecific(key) == argument ? argument : NULL;
}

static void keys(void) {
  MUST(pthread_key_create(&key, destroy) == 0 && pthread_key_create(&other_key, destroy) == 0);
  pthread_t threads[10];
  int good = 0;
  for (long i = 0; i < 10; ++i) MUST(pthread_create(&threads[i], NULL, uses_key, (void*)(i + 1)) == 0);
  for (long i = 0; i < 10; ++i) {
    void* result;
    MUST(pthread_join(threads[i], &result) == 0);
    good += result == (void*)(i + 1);
  }
  say("keys: %d good, %d destroyed, sum %d", good, destroyed, sum_destroyed);
}

static sem_t done;
static void* detached(void* argument) {
  if (argument) pthread_detach(pthread_self());
  sem_post(&done);
  return NULL;
}

static void detaching(void) {
  MUST(sem_init(&done, 0, 0) == 0);
  pthread_attr_t attributes;
  MUST(pthread_attr_init(&attributes) == 0 && pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
  MUST(pthread_attr_setstacksize(&attributes, 32768) == 0);
  for (int i = 0; i < 100; ++i) {
    pthread_t thread;
    MUST(pthread_create(&thread, i & 1 ? &attributes : NULL, detached, i & 1 ? NULL : &done) == 0);
  }
  for (int i = 0; i < 100; ++i) sem_wait(&done);
  say("100 detached threads ran");
  int value = -1;
  MUST(sem_getvalue(&done, &value) == 0);
  say("semaphore %d, trywait %s", value, OUTCOME(sem_trywait(&done)));
}

static int deep(int levels) {
  volatile char frame[1000];
  frame[0] = (char)levels;
  return levels == 0 ? 0 : deep(levels - 1) + (frame[0] == (char)levels);
}
static void* recurse(void* argument) { return (void*)(long)deep((int)(long)argument); }

static void stacks(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  void* result;
  MUST(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 4 << 20) == 0);
  MUST(pthread_create(&thread, &attributes, recurse, (void*)3000L) == 0 && pthread_join(thread, &result) == 0);
  say("3 MB of a stack: depth %ld", (long)result);
  /* The guard page below a stack. */
  const pid_t child = must_fork();
  if (child == 0) {
    MUST(pthread_attr_setstacksize(&attributes, 65536) == 0);
    MUST(pthread_create(&thread, &attributes, recurse, (void*)1000L) == 0);
    pthread_join(thread, &result);
    _exit(0);
  }
  say("overrun: %s", status_text(must_wait(child) & ~0x80));
  void* memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(memory != MAP_FAILED && pthread_attr_setstack(&attributes, memory, 1 << 20) == 0);
  MUST(pthread_create(&thread, &attributes, recurse, (void*)500L) == 0 && pthread_join(thread, &result) == 0);
  int bytes = 0;
  for (int i = 0; i < 1 << 20; ++i) bytes += ((char*)memory)[i] != 0;
  say("own stack: depth %ld, used %s", (long)result, bytes > 500 ? "yes" : "no");
}

static void* shares(void* argument) {
  (void)argument;
  MUST(chdir("/proc") == 0);
  close(0);
  return (void*)(long)(getpid() + getppid());
}

static void sharing(void) {
  pthread_t thread;
  void* result;
  MUST(pthread_create(&thread, NULL, shares, NULL) == 0 && pthread_join(thread, &result) == 0);
  char cwd[PATH_MAX];
  say("shared: pid %s, folder %s, descriptor 0 %s", (long)result == getpid() + getppid() ? "same" : "other",
      getcwd(cwd, sizeof cwd), dup(0) == -1 ? "closed" : "open");
}

int main(void) {
  create_and_join();
  only_once();
  keys();
  detaching();
  stacks();
  sharing();
  return 0;
}
