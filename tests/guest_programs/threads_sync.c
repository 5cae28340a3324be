/* Mutexes of each kind, condition variables, barriers, reader-writer locks, spin locks, semaphores, timeouts, robust
 * mutexes whose owner ends, mutexes shared between processes. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <time.h>

#include "support/say.h"

static struct timespec after(long ms) {
  struct timespec t;
  MUST(clock_gettime(CLOCK_REALTIME, &t) == 0);
  t.tv_nsec += ms * 1000000;
  while (t.tv_nsec >= 1000000000) ++t.tv_sec, t.tv_nsec -= 1000000000;
  return t;
}

static void run(int count, void* (*body)(void*)) {
  pthread_t threads[32];
  for (long i = 0; i < count; ++i) MUST(pthread_create(&threads[i], NULL, body, (void*)i) == 0);
  for (int i = 0; i < count; ++i) MUST(pthread_join(threads[i], NULL) == 0);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile long total;

static void* adds(void* argument) {
  (void)argument;
  for (int i = 0; i < 5000; ++i) {
    pthread_mutex_lock(&mutex);
    const long old = total;
    if (i % 64 == 0) sched_yield(); /* others would see the old value, were they let in */
    total = old + 1;
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void* try_it(void* argument) { return (void*)(long)pthread_mutex_trylock(argument); }
static void* unlock_it(void* argument) { return (void*)(long)pthread_mutex_unlock(argument); }
static int elsewhere(void* (*body)(void*), pthread_mutex_t* which) {
  pthread_t thread;
  void* result;
  MUST(pthread_create(&thread, NULL, body, which) == 0 && pthread_join(thread, &result) == 0);
  return (int)(long)result;
}

static void mutexes(void) {
  run(8, adds);
  say("eight threads added %ld", total);
  static const int kinds[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK};
  static const char* const names[] = {"normal", "recursive", "errorcheck"};
  for (int i = 0; i < 3; ++i) {
    pthread_mutexattr_t attributes;
    pthread_mutex_t m;
    MUST(pthread_mutexattr_init(&attributes) == 0 && pthread_mutexattr_settype(&attributes, kinds[i]) == 0);
    MUST(pthread_mutex_init(&m, &attributes) == 0 && pthread_mutex_lock(&m) == 0);
    say("%s: trylock %s, elsewhere %s", names[i], error_name(pthread_mutex_trylock(&m)), error_name(elsewhere(try_it, &m)));
    if (i != 0) say("  lock again: %s, unlock elsewhere: %s", error_name(pthread_mutex_lock(&m)), error_name(elsewhere(unlock_it, &m)));
    const struct timespec soon = after(20);
    if (i != 1) say("  timedlock: %s", i == 0 ? error_name(pthread_mutex_timedlock(&m, &soon)) : "not tried");
    say("  unlock: %s", error_name(pthread_mutex_unlock(&m)));
  }
}

/* A bounded buffer: producers, consumers, two conditions. */
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
static int buffer[5], used, produced, consumed;
static long sum;
static void* produces(void* argument) {
  (void)argument;
  for (;;) {
    pthread_mutex_lock(&mutex);
    while (used == 5) pthread_cond_wait(&not_full, &mutex);
    if (produced == 2000) {
      pthread_mutex_unlock(&mutex);
      return NULL;
    }
    buffer[used++] = ++produced;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&mutex);
  }
}
static void* consumes(void* argument) {
  (void)argument;
  for (;;) {
    pthread_mutex_lock(&mutex);
    while (used == 0 && consumed < 2000) pthread_cond_wait(&not_empty, &mutex);
    if (consumed == 2000) {
      pthread_cond_broadcast(&not_empty);
      pthread_cond_broadcast(&not_full);
      pthread_mutex_unlock(&mutex);
      return NULL;
    }
    sum += buffer[--used];
    ++consumed;
    pthread_cond_signal(&not_full);
    if (consumed == 2000) pthread_cond_broadcast(&not_empty);
    pthread_mutex_unlock(&mutex);
  }
}
static void* both(void* number) { return (long)number % 2 ? produces(number) : consumes(number); }

static int waiting, released;
static pthread_cond_t start = PTHREAD_COND_INITIALIZER;
static void* waits(void* argument) {
  (void)argument;
  pthread_mutex_lock(&mutex);
  ++waiting;
  while (!released) pthread_cond_wait(&start, &mutex);
  ++total;
  pthread_mutex_unlock(&mutex);
  return NULL;
}

static void conditions(void) {
  run(8, both);
  say("buffer: produced %d, consumed %d, sum %ld", produced, consumed, sum);
  total = 0;
  pthread_t threads[20];
  for (int i = 0; i < 20; ++i) MUST(pthread_create(&threads[i], NULL, waits, NULL) == 0);
  for (;;) {
    pthread_mutex_lock(&mutex);
    if (waiting == 20) break;
    pthread_mutex_unlock(&mutex);
    usleep(1000);
  }
  released = 1;
  pthread_cond_broadcast(&start);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < 20; ++i) MUST(pthread_join(threads[i], NULL) == 0);
  say("broadcast released %ld", total);
  pthread_mutex_lock(&mutex);
  struct timespec soon = after(20);
  say("timedwait: %s", error_name(pthread_cond_timedwait(&start, &mutex, &soon)));
  pthread_condattr_t attributes;
  pthread_cond_t monotonic;
  MUST(pthread_condattr_init(&attributes) == 0 && pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
  MUST(pthread_cond_init(&monotonic, &attributes) == 0 && clock_gettime(CLOCK_MONOTONIC, &soon) == 0);
  say("monotonic, already past: %s", error_name(pthread_cond_timedwait(&monotonic, &mutex, &soon)));
  pthread_mutex_unlock(&mutex);
}

static pthread_barrier_t barrier;
static int serial, phases[10], mixed;
static void* meets(void* argument) {
  (void)argument;
  for (int i = 0; i < 10; ++i) {
    __sync_fetch_and_add(&phases[i], 1);
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) __sync_fetch_and_add(&serial, 1);
    if (phases[i] != 12) __sync_fetch_and_add(&mixed, 1);
  }
  return NULL;
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static volatile int one, two, different, readers, most_readers;
static void* reads_or_writes(void* argument) {
  for (int i = 0; i < 500; ++i)
    if ((long)argument < 2) {
      pthread_rwlock_wrlock(&rwlock);
      ++one;
      if (i % 50 == 0) sched_yield();
      ++two;
      pthread_rwlock_unlock(&rwlock);
    } else {
      pthread_rwlock_rdlock(&rwlock);
      if (one != two) ++different;
      pthread_rwlock_unlock(&rwlock);
    }
  return NULL;
}

static pthread_spinlock_t spin;
static void* spins(void* argument) {
  (void)argument;
  for (int i = 0; i < 2000; ++i) {
    pthread_spin_lock(&spin);
    ++total;
    pthread_spin_unlock(&spin);
  }
  return NULL;
}

static void others(void) {
  MUST(pthread_barrier_init(&barrier, NULL, 12) == 0);
  run(12, meets);
  say("barrier: %d serial threads in 10 rounds, %d came through early", serial, mixed);
  run(8, reads_or_writes);
  say("rwlock: %d writes, %d torn reads", one, different);
  MUST(pthread_rwlock_rdlock(&rwlock) == 0);
  const struct timespec soon = after(20);
  say("  a second reader: %s, a writer: %s", error_name(pthread_rwlock_tryrdlock(&rwlock)), error_name(pthread_rwlock_trywrlock(&rwlock)));
  say("  a writer in time: %s", error_name(pthread_rwlock_timedwrlock(&rwlock, &soon)));
  pthread_rwlock_unlock(&rwlock), pthread_rwlock_unlock(&rwlock);
  MUST(pthread_spin_init(&spin, 0) == 0);
  total = 0;
  run(6, spins);
  say("spin lock: %ld", total);
  sem_t semaphore;
  MUST(sem_init(&semaphore, 0, 2) == 0);
  MUST(sem_wait(&semaphore) == 0 && sem_wait(&semaphore) == 0);
  const struct timespec limit = after(20);
  say("semaphore of two, a third time: %s", OUTCOME(sem_timedwait(&semaphore, &limit)));
}

static void* locks_and_ends(void* argument) {
  pthread_mutex_lock(argument);
  return NULL;
}
static void* waits_for_it(void* argument) { return (void*)(long)pthread_mutex_lock(argument); }

static void robust(void) {
  pthread_mutexattr_t attributes;
  MUST(pthread_mutexattr_init(&attributes) == 0 && pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
  MUST(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  struct {
    pthread_mutex_t mutex, other;
    int value;
  }* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  MUST(shared != MAP_FAILED && pthread_mutex_init(&shared->mutex, &attributes) == 0 && pthread_mutex_init(&shared->other, &attributes) == 0);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, locks_and_ends, &shared->mutex) == 0 && pthread_join(thread, NULL) == 0);
  say("owner thread ended: %s", error_name(pthread_mutex_lock(&shared->mutex)));
  say("  consistent: %s", error_name(pthread_mutex_consistent(&shared->mutex)));
  say("  unlock: %s", error_name(pthread_mutex_unlock(&shared->mutex)));
  /* The owner, a process, is killed while a thread waits in the kernel. */
  struct gate ready = new_gate();
  const pid_t child = must_fork();
  if (child == 0) {
    pthread_mutex_lock(&shared->mutex);
    pthread_mutex_lock(&shared->other);
    tell(ready);
    for (;;) pause();
  }
  wait_for(ready);
  MUST(pthread_create(&thread, NULL, waits_for_it, &shared->mutex) == 0);
  usleep(20000);
  kill(child, SIGKILL);
  must_wait(child);
  void* result;
  MUST(pthread_join(thread, &result) == 0);
  say("owner process killed: %s", error_name((int)(long)result));
  /* The thread has ended with it, so the lock is passed on once more; unlocked without repair it is dead. */
  say("owner thread ended: %s", error_name(pthread_mutex_lock(&shared->mutex)));
  pthread_mutex_unlock(&shared->mutex);
  say("not made consistent: %s", error_name(pthread_mutex_lock(&shared->mutex)));
  say("the other one: %s", error_name(pthread_mutex_trylock(&shared->other)));
  /* Between two processes. */
  MUST(pthread_mutex_consistent(&shared->other) == 0 && pthread_mutex_unlock(&shared->other) == 0);
  for (int i = 0; i < 4; ++i)
    if (must_fork() == 0) {
      for (int j = 0; j < 1000; ++j) {
        pthread_mutex_lock(&shared->other);
        ++shared->value;
        pthread_mutex_unlock(&shared->other);
      }
      _exit(0);
    }
  while (wait(NULL) > 0) {}
  say("four processes added %d", shared->value);
  drop_gate(ready);
}

int main(void) {
  mutexes();
  conditions();
  others();
  robust();
  return 0;
}
