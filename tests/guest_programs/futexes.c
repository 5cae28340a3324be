/* futex(2) in all its forms: what it answers, who is woken in which order, between threads and between processes, and
 * what signals and the end of an owner do. Every line is the same on real Linux in every run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "support/answers.h"

enum { kWait = 0, kWake = 1, kRequeue = 3, kCmpRequeue = 4, kWakeOp = 5, kLockPi = 6, kUnlockPi = 7, kTryLockPi = 8,
       kWaitBitset = 9, kWakeBitset = 10, kPrivate = 128, kRealtime = 256 };

typedef volatile unsigned word;

static long futex(word* a, int op, unsigned value, unsigned long extra, word* b, unsigned value3) {
  /* By hand: 32-bit timespec, whatever the libc does. */
  const long result = syscall(240, a, op, value, extra, b, value3);
  return result < 0 ? -errno : result;
}
struct ts32 { int seconds, nanoseconds; };
static long wait_for(word* a, int op, unsigned value, struct ts32 time, unsigned bits) {
  return futex(a, op, value, (unsigned long)&time, NULL, bits);
}

static word first, second;
static int order[16], ordered;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

static int about_to_wait; /* how many have come as far as the call */
struct waiter { pthread_t thread; int number; unsigned bits; long result; int op; word* at; };
static void* wait_thread(void* p) {
  struct waiter* w = p;
  __atomic_store_n(&about_to_wait, w->number + 1, __ATOMIC_SEQ_CST);
  w->result = futex(w->at, w->op, 0, 0, NULL, w->bits);
  pthread_mutex_lock(&guard);
  order[ordered++] = w->number;
  pthread_mutex_unlock(&guard);
  return NULL;
}
static struct waiter waiters[8];
static void start(int count, word* at) {
  ordered = about_to_wait = 0;
  for (int i = 0; i < count; ++i) {
    waiters[i] = (struct waiter){.number = i, .bits = 1u << i, .op = kWaitBitset | kPrivate, .at = at};
    pthread_create(&waiters[i].thread, NULL, wait_thread, &waiters[i]);
    while (__atomic_load_n(&about_to_wait, __ATOMIC_SEQ_CST) != i + 1) pause_ms(5);
    pause_ms(20);
  }
}
static void join(int count) {
  for (int i = 0; i < count; ++i) pthread_join(waiters[i].thread, NULL);
  printf("  woken");
  for (int i = 0; i < ordered; ++i) printf(" %d", order[i]);
  printf(", results");
  for (int i = 0; i < count; ++i) printf(" %ld", waiters[i].result);
  printf("\n");
}
static int noted(void) {
  pthread_mutex_lock(&guard);
  const int count = ordered;
  pthread_mutex_unlock(&guard);
  return count;
}
/* Each has told that it runs before the next one is woken. */
static void wake_in_turn(word* at, int count) {
  for (int i = 0; i < count; ++i) {
    const int before = noted();
    const long woken = futex(at, kWake | kPrivate, 1, 0, NULL, 0);
    for (int tries = 0; woken > 0 && noted() == before && tries < 500; ++tries) pause_ms(10);
  }
}

static void answers(void) {
  word* odd = (word*)((char*)&first + 1);
  printf("answers\n");
  printf("  unaligned %ld %ld\n", futex(odd, kWait, 0, 0, NULL, 0), futex(odd, kWake, 1, 0, NULL, 0));
  printf("  nowhere %ld %ld %ld\n", futex((word*)16, kWait | kPrivate, 0, 0, NULL, 0),
         futex((word*)16, kWake | kPrivate, 1, 0, NULL, 0), futex((word*)16, kWake, 1, 0, NULL, 0));
  printf("  value %ld\n", futex(&first, kWait, 1, 0, NULL, 0));
  printf("  no bits %ld %ld\n", futex(&first, kWaitBitset, 0, 0, NULL, 0), futex(&first, kWakeBitset, 1, 0, NULL, 0));
  printf("  clock %ld %ld\n", futex(&first, kWake | kRealtime, 1, 0, NULL, 0),
         futex(&first, kRequeue | kRealtime, 1, 0, &second, 0));
  printf("  unknown %ld %ld\n", futex(&first, 2, 0, 0, NULL, 0), futex(&first, 77, 0, 0, NULL, 0));
  printf("  bad time %ld %ld\n", wait_for(&first, kWait, 0, (struct ts32){0, 1000000000}, 0),
         wait_for(&first, kWait, 1, (struct ts32){-1, 0}, 0));
  printf("  negative %ld %ld\n", futex(&first, kRequeue, -1u, 0, &second, 0),
         futex(&first, kCmpRequeue, 0, -1ul, &second, 0));
  printf("  compare %ld\n", futex(&first, kCmpRequeue, 1, 1, &second, 5));
  printf("  nobody %ld %ld\n", futex(&first, kWake, 1, 0, NULL, 0), futex(&first, kRequeue, 1, 1, &second, 0));
}

static void timeouts(void) {
  struct timespec before, after;
  struct ts32 until;
  printf("timeouts\n");
  clock_gettime(CLOCK_MONOTONIC, &before);
  printf("  relative %ld", wait_for(&first, kWait | kPrivate, 0, (struct ts32){0, 30000000}, 0));
  clock_gettime(CLOCK_MONOTONIC, &after);
  const long ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
  printf(" %s\n", ms >= 30 && ms < 1000 ? "in time" : "too early or late");
  until = (struct ts32){after.tv_sec, after.tv_nsec};
  printf("  past %ld\n", wait_for(&first, kWaitBitset, 0, until, ~0u));
  clock_gettime(CLOCK_REALTIME, &after);
  until = (struct ts32){after.tv_sec + 1, after.tv_nsec};
  printf("  wall %ld\n", wait_for(&first, kWaitBitset | kRealtime, 0, until, ~0u));
  printf("  zero %ld\n", wait_for(&first, kWait, 0, (struct ts32){0, 0}, 0));
  printf("  zero, value %ld\n", wait_for(&first, kWait, 1, (struct ts32){0, 0}, 0));
  long long t64[2] = {0, 1000000};
  const long result = syscall(422, &first, kWait, 0, t64, NULL, 0);
  printf("  time64 %ld\n", result < 0 ? -(long)errno : result);
}

static void threads(void) {
  printf("wake\n");
  start(3, &first);
  printf("  other %ld\n", futex(&first, kWake, 9, 0, NULL, 0)); /* shared and private do not meet */
  printf("  none %ld\n", futex(&first, kWake | kPrivate, 0, 0, NULL, 0)); /* at least one */
  pause_ms(10);
  wake_in_turn(&first, 2);
  join(3);
  printf("bitsets\n");
  start(4, &first);
  printf("  third %ld\n", futex(&first, kWakeBitset | kPrivate, 9, 0, NULL, 4));
  pause_ms(10);
  printf("  even %ld\n", futex(&first, kWakeBitset | kPrivate, 9, 0, NULL, 5));
  pause_ms(10);
  printf("  rest %ld\n", futex(&first, kWake | kPrivate, 9, 0, NULL, 0));
  pause_ms(10);
  ordered = 0; /* the last two ran at once */
  join(4);
  printf("requeue\n");
  start(5, &first);
  printf("  one and two %ld\n", futex(&first, kRequeue | kPrivate, 1, 2, &second, 0));
  pause_ms(10);
  printf("  compared %ld\n", futex(&first, kCmpRequeue | kPrivate, 0, 1, &second, 0));
  wake_in_turn(&second, 3);
  printf("  left %ld\n", futex(&first, kWake | kPrivate, 9, 0, NULL, 0));
  join(5);
  printf("to the same word\n");
  start(3, &first);
  printf("  moved %ld\n", futex(&first, kRequeue | kPrivate, 0, 1, &first, 0));
  wake_in_turn(&first, 3);
  join(3);
}

static unsigned op(unsigned what, unsigned argument, unsigned compare, unsigned with) {
  return what << 28 | compare << 24 | (argument & 0xfff) << 12 | (with & 0xfff);
}
static void wake_op(void) {
  static const unsigned fixed = 3;
  printf("wake_op\n");
  static const char* names[] = {"set", "add", "or", "andn", "xor", "six"};
  for (unsigned what = 0; what < 6; ++what) {
    second = 12;
    const long result = futex(&first, kWakeOp | kPrivate, 1, 1, &second, op(what, 6, 0, 99));
    printf("  %s %ld: %u\n", names[what], result, second);
  }
  second = 1;
  futex(&first, kWakeOp | kPrivate, 1, 1, &second, op(8 | 2, 4, 0, 99));
  printf("  shifted %u\n", second);
  second = 5;
  printf("  compare %ld, ", futex(&first, kWakeOp | kPrivate, 1, 1, &second, op(1, -1u, 9, 0)));
  printf("%u\n", second);
  printf("  read-only %ld\n", futex(&first, kWakeOp | kPrivate, 1, 1, (word*)&fixed, op(0, 0, 0, 0)));
  static const struct { unsigned compare; int with; } tests[] = {{0, 7}, {0, 8}, {1, 7}, {2, 8}, {3, 7}, {4, 7}, {5, 7}};
  for (unsigned i = 0; i < sizeof tests / sizeof *tests; ++i) {
    start(1, &second);
    second = 7;
    const long result = futex(&first, kWakeOp | kPrivate, 1, 1, &second, op(0, 0, tests[i].compare, tests[i].with));
    printf("  old 7, %u %d: %ld\n", tests[i].compare, tests[i].with, result);
    futex(&second, kWake | kPrivate, 1, 0, NULL, 0);
    pthread_join(waiters[0].thread, NULL);
    second = 0;
  }
}

static void processes(void) {
  printf("processes\n");
  word* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  word* mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const long result = futex(&shared[3], kWait, 0, 0, NULL, 0);
    _exit(result == 0 && shared[3] == 1 ? 0 : 1);
  }
  const pid_t other = fork();
  if (other == 0) {
    _exit(wait_for(mine, kWait, 0, (struct ts32){0, 200000000}, 0) == -ETIMEDOUT ? 0 : 1);
  }
  pause_ms(50);
  printf("  private memory %ld\n", futex(mine, kWake, 9, 0, NULL, 0));
  printf("  private futex %ld\n", futex(&shared[3], kWake | kPrivate, 9, 0, NULL, 0));
  printf("  other word %ld\n", futex(&shared[2], kWake, 9, 0, NULL, 0));
  /* The same page at another address. */
  word* again = mremap((void*)shared, 0, 4096, MREMAP_MAYMOVE);
  shared[3] = 1;
  printf("  shared %ld\n", futex(&again[3], kWake, 9, 0, NULL, 0));
  int status = -1;
  waitpid(child, &status, 0);
  printf("  child %d", status);
  waitpid(other, &status, 0);
  printf(", other %d\n", status);
}

static volatile int signals;
static void on_signal(int number) { (void)number; ++signals; }
static pthread_t main_thread;
static void* sender(void* p) {
  (void)p;
  pause_ms(50);
  pthread_kill(main_thread, SIGUSR1);
  pause_ms(50);
  futex(&first, kWake, 1, 0, NULL, 0);
  return NULL;
}
static long with_signal(int flags, struct ts32* timeout) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
  if (flags == -1) action = (struct sigaction){.sa_handler = SIG_DFL};
  sigaction(SIGUSR1, &action, NULL);
  pthread_t thread;
  pthread_create(&thread, NULL, sender, NULL);
  const long result = futex(&first, kWait, 0, (unsigned long)timeout, NULL, 0);
  pthread_join(thread, NULL);
  return result;
}
static void interrupted(void) {
  printf("signals\n");
  main_thread = pthread_self();
  struct ts32 long_time = {10, 0};
  printf("  no restart %ld", with_signal(0, NULL));
  printf(", handled %d\n", signals);
  printf("  restart %ld", with_signal(SA_RESTART, NULL));
  printf(", handled %d\n", signals);
  printf("  with a timeout %ld", with_signal(SA_RESTART, &long_time));
  printf(", handled %d\n", signals);
  /* A stop interrupts without a handler: the wait goes on, also the one with a timeout. */
  fflush(stdout);
  word* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const pid_t child = fork();
  if (child == 0) _exit(futex(shared, kWait, 0, (unsigned long)&long_time, NULL, 0) == 0 ? 5 : 1);
  pause_ms(50);
  int status = 0;
  kill(child, SIGSTOP);
  waitpid(child, &status, WUNTRACED);
  printf("  stopped %x", status);
  kill(child, SIGCONT);
  pause_ms(50);
  printf(", woken %ld", futex(shared, kWake, 1, 0, NULL, 0));
  waitpid(child, &status, 0);
  printf(", ended %x\n", status);
}

static word lock_word;
static void* lock_thread(void* p) {
  struct waiter* w = p;
  w->result = futex(&lock_word, kLockPi | kPrivate, 0, 0, NULL, 0);
  pthread_mutex_lock(&guard);
  order[ordered++] = w->number;
  pthread_mutex_unlock(&guard);
  const unsigned tid = (unsigned)syscall(SYS_gettid);
  if ((lock_word & 0x3fffffff) != tid) w->result = 1000;
  futex(&lock_word, kUnlockPi | kPrivate, 0, 0, NULL, 0);
  return NULL;
}
static void* end_with_lock(void* p) {
  (void)p;
  futex(&lock_word, kLockPi | kPrivate, 0, 0, NULL, 0);
  pause_ms(60);
  return NULL;
}
static void pi(void) {
  printf("pi\n");
  const unsigned tid = (unsigned)syscall(SYS_gettid);
  printf("  lock %ld", futex(&lock_word, kLockPi | kPrivate, 0, 0, NULL, 0));
  printf(", mine %d\n", lock_word == tid);
  printf("  again %ld %ld\n", futex(&lock_word, kLockPi | kPrivate, 0, 0, NULL, 0),
         futex(&lock_word, kTryLockPi | kPrivate, 0, 0, NULL, 0));
  printf("  unlock %ld", futex(&lock_word, kUnlockPi | kPrivate, 0, 0, NULL, 0));
  printf(", %u, again %ld\n", lock_word, futex(&lock_word, kUnlockPi | kPrivate, 0, 0, NULL, 0));
  lock_word = 0x3ffffff0;
  printf("  no such owner %ld\n", futex(&lock_word, kLockPi | kPrivate, 0, 0, NULL, 0));
  lock_word = tid;
  ordered = 0;
  for (int i = 0; i < 3; ++i) {
    waiters[i] = (struct waiter){.number = i};
    pthread_create(&waiters[i].thread, NULL, lock_thread, &waiters[i]);
    pause_ms(20);
  }
  printf("  contended %d\n", lock_word == (tid | 0x80000000));
  printf("  wake %ld\n", futex(&lock_word, kWake | kPrivate, 1, 0, NULL, 0));
  printf("  unlock %ld\n", futex(&lock_word, kUnlockPi | kPrivate, 0, 0, NULL, 0));
  join(3);
  printf("  free %u\n", lock_word);
  pthread_t thread;
  pthread_create(&thread, NULL, end_with_lock, NULL);
  pause_ms(30);
  printf("  try %ld\n", futex(&lock_word, kTryLockPi | kPrivate, 0, 0, NULL, 0));
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct ts32 past = {now.tv_sec, now.tv_nsec};
  printf("  timeout %ld\n", futex(&lock_word, kLockPi | kPrivate, 0, (unsigned long)&past, NULL, 0));
  printf("  owner dies %ld", futex(&lock_word, kLockPi | kPrivate, 0, 0, NULL, 0));
  printf(", %x\n", (lock_word ^ tid));
  pthread_join(thread, NULL);
  futex(&lock_word, kUnlockPi | kPrivate, 0, 0, NULL, 0);
  printf("  unlock %x\n", lock_word);
}

static pthread_mutex_t robust;
static void* robust_thread(void* p) {
  (void)p;
  pthread_mutex_lock(&robust);
  pause_ms(40);
  return NULL;
}
static void mutexes(void) {
  printf("mutexes\n");
  for (int protocol = 0; protocol < 2; ++protocol) {
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attr, protocol == 0 ? PTHREAD_PRIO_NONE : PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&robust, &attr);
    pthread_t thread;
    pthread_create(&thread, NULL, robust_thread, NULL);
    pause_ms(20);
    printf("  %s: busy %d", protocol == 0 ? "robust" : "robust, pi", pthread_mutex_trylock(&robust) == EBUSY);
    printf(", owner died %d", pthread_mutex_lock(&robust) == EOWNERDEAD);
    printf(", consistent %d", pthread_mutex_consistent(&robust));
    printf(", unlock %d", pthread_mutex_unlock(&robust));
    printf(", lock %d\n", pthread_mutex_lock(&robust));
    pthread_join(thread, NULL);
    pthread_mutex_unlock(&robust);
  }
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  answers();
  timeouts();
  threads();
  wake_op();
  processes();
  interrupted();
  pi();
  mutexes();
  return 0;
}
