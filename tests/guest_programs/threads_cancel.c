/* Cancellation: in calls that wait, at a test point, asynchronously in a loop, disabled, with clean-up handlers; and
 * pthread_exit out of nested calls. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "support/say.h"

static int fds[2], cleaned, order[8];
static sem_t ready;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static volatile unsigned long spun;

static void nap(long ms) {
  struct timespec t = {0, ms * 1000000};
  while (nanosleep(&t, &t) == -1 && errno == EINTR) {}
}
static void clean(void* number) { order[cleaned++] = (int)(long)number; }
static void unlock(void* which) {
  pthread_mutex_unlock(which);
  ++cleaned;
}

static void* in_read(void* argument) {
  char byte;
  pthread_cleanup_push(clean, (void*)1);
  pthread_cleanup_push(clean, (void*)2);
  sem_post(&ready);
  (void)!read(fds[0], &byte, 1);
  pthread_cleanup_pop(0);
  pthread_cleanup_pop(0);
  return argument;
}
static void* in_sleep(void* argument) {
  const struct timespec t = {100, 0};
  pthread_cleanup_push(clean, (void*)3);
  sem_post(&ready);
  nanosleep(&t, NULL);
  pthread_cleanup_pop(0);
  return argument;
}
static void* in_condition(void* argument) {
  pthread_mutex_lock(&mutex);
  pthread_cleanup_push(unlock, &mutex);
  sem_post(&ready);
  for (;;) pthread_cond_wait(&never, &mutex);
  pthread_cleanup_pop(0);
  return argument;
}
static void* in_join(void* argument) {
  sem_post(&ready);
  pthread_join(*(pthread_t*)argument, NULL);
  return argument;
}
static void* in_semaphore(void* argument) {
  sem_t none;
  sem_init(&none, 0, 0);
  sem_post(&ready);
  sem_wait(&none);
  return argument;
}
static void* at_test(void* argument) {
  sem_post(&ready);
  for (;;) {
    pthread_testcancel();
    ++spun;
  }
  return argument;
}
static void* asynchronous(void* argument) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  sem_post(&ready);
  for (;;) ++spun;
  return argument;
}
static void* disabled(void* argument) {
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  sem_post(&ready);
  nap(50);
  order[7] = 77;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  nap(50);
  order[7] = 78;
  return argument;
}
static void* waits_for_ever(void* argument) {
  for (;;) nap(500);
  return argument;
}

static void cancel(const char* what, void* (*body)(void*), void* argument) {
  pthread_t thread;
  void* result = NULL;
  cleaned = 0;
  MUST(pthread_create(&thread, NULL, body, argument) == 0);
  while (sem_wait(&ready) != 0) {}
  nap(10);
  const int error = pthread_cancel(thread);
  MUST(pthread_join(thread, &result) == 0);
  say("%s: cancel %s, result %s, %d cleaned up", what, error_name(error), result == PTHREAD_CANCELED ? "PTHREAD_CANCELED" : "its own",
      cleaned);
}

static void leave(int levels) {
  pthread_cleanup_push(clean, (void*)(long)levels);
  if (levels == 0) pthread_exit((void*)99);
  else leave(levels - 1);
  pthread_cleanup_pop(0);
}
static void* exits(void* argument) {
  (void)argument;
  leave(4);
  return NULL;
}

int main(void) {
  MUST(pipe(fds) == 0 && sem_init(&ready, 0, 0) == 0);
  cancel("read", in_read, NULL);
  say("  in the order %d %d", order[0], order[1]);
  cancel("nanosleep", in_sleep, NULL);
  cancel("condition", in_condition, NULL);
  say("  its mutex: %s", error_name(pthread_mutex_trylock(&mutex)));
  pthread_mutex_unlock(&mutex);
  cancel("semaphore", in_semaphore, NULL);
  pthread_t sleeper;
  MUST(pthread_create(&sleeper, NULL, waits_for_ever, NULL) == 0);
  cancel("join", in_join, &sleeper);
  MUST(pthread_cancel(sleeper) == 0 && pthread_join(sleeper, NULL) == 0);
  cancel("test point", at_test, NULL);
  cancel("asynchronous", asynchronous, NULL);
  cancel("disabled for a while", disabled, NULL);
  say("  it came to %d", order[7]);
  pthread_t thread;
  void* result;
  cleaned = 0;
  MUST(pthread_create(&thread, NULL, exits, NULL) == 0 && pthread_join(thread, &result) == 0);
  say("pthread_exit: result %ld, %d cleaned up in the order %d %d %d %d %d", (long)result, cleaned, order[0], order[1], order[2],
      order[3], order[4]);
  return 0;
}
