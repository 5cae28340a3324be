/* Signals and threads: to one thread, to the process, to whoever does not block it; sigwait; a mask and an alternate stack
 * of its own for each thread; faults; stopping and continuing all; EINTR in one thread only. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "support/say.h"

enum { kThreads = 8 };
static sem_t ready, done;
static __thread volatile int mine;
static volatile int handled_by[kThreads + 1], total;
static volatile int stop;

static void nap(long ms) {
  struct timespec t = {0, ms * 1000000};
  while (nanosleep(&t, &t) == -1 && errno == EINTR) {}
}

static __thread int number = kThreads;
static void handler(int signal) {
  (void)signal;
  ++mine;
  __sync_fetch_and_add(&handled_by[number], 1);
  __sync_fetch_and_add(&total, 1);
}

static void* counts(void* argument) {
  number = (int)(long)argument;
  sem_post(&ready);
  while (!stop) nap(2);
  return (void*)(long)mine;
}

static void each_thread(void) {
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; ++i) MUST(pthread_create(&threads[i], NULL, counts, (void*)i) == 0);
  for (int i = 0; i < kThreads; ++i) sem_wait(&ready);
  for (int i = 0; i < kThreads; ++i)
    for (int j = 0; j <= i; ++j) {
      const int before = total;
      MUST(pthread_kill(threads[i], SIGUSR1) == 0);
      while (total == before) nap(1);
    }
  stop = 1;
  long sum = 0;
  for (int i = 0; i < kThreads; ++i) {
    void* result;
    MUST(pthread_join(threads[i], &result) == 0);
    sum = sum * 10 + (long)result;
  }
  say("pthread_kill: %ld, by us %d", sum, handled_by[kThreads]);
  stop = 0;
}

static void* the_only_one(void* argument) {
  number = (int)(long)argument;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  if (number != 3) pthread_sigmask(SIG_BLOCK, &set, NULL);
  sem_post(&ready);
  while (!stop) nap(2);
  return (void*)(long)mine;
}

static void to_the_process(void) {
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; ++i) MUST(pthread_create(&threads[i], NULL, the_only_one, (void*)i) == 0);
  for (int i = 0; i < kThreads; ++i) sem_wait(&ready);
  MUST(pthread_sigmask(SIG_BLOCK, &set, &old) == 0);
  total = 0;
  for (int i = 0; i < 5; ++i) {
    const int before = total;
    MUST(kill(getpid(), SIGUSR1) == 0);
    while (total == before) nap(1);
  }
  stop = 1;
  char text[64];
  int length = 0;
  for (int i = 0; i < kThreads; ++i) {
    void* result;
    MUST(pthread_join(threads[i], &result) == 0);
    length += snprintf(text + length, sizeof text - length, " %ld", (long)result);
  }
  say("kill, open in one thread:%s", text);
  MUST(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
  stop = 0;
}

static void* waits(void* argument) {
  (void)argument;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigaddset(&set, SIGTERM);
  long sum = 0;
  for (int got = 0; got != SIGTERM;) {
    sem_post(&ready);
    if (sigwait(&set, &got) == 0) sum = sum * 100 + got;
  }
  return (void*)sum;
}

static void a_signal_thread(void) {
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigaddset(&set, SIGTERM);
  MUST(pthread_sigmask(SIG_BLOCK, &set, &old) == 0);
  pthread_t thread;
  void* result;
  MUST(pthread_create(&thread, NULL, waits, NULL) == 0); /* inherits the mask */
  sem_wait(&ready);
  MUST(kill(getpid(), SIGUSR2) == 0);
  sem_wait(&ready);
  MUST(kill(getpid(), SIGUSR2) == 0);
  sem_wait(&ready);
  MUST(kill(getpid(), SIGTERM) == 0 && pthread_join(thread, &result) == 0);
  say("sigwait: %ld", (long)result);
  MUST(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
}

static __thread sigjmp_buf back;
static __thread char own_stack[16384];
static volatile int on_own_stack;
static void jump(int signal) {
  char here;
  __sync_fetch_and_add(&on_own_stack, &here >= own_stack && &here < own_stack + sizeof own_stack);
  siglongjmp(back, signal);
}
static void* faults(void* argument) {
  const stack_t stack = {.ss_sp = own_stack, .ss_size = sizeof own_stack};
  MUST(sigaltstack(&stack, NULL) == 0);
  char* page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  static volatile int count;
  for (volatile int i = 0; i < 50; ++i)
    if (sigsetjmp(back, 1) == 0) page[i] = 1;
    else __sync_fetch_and_add(&count, 1);
  (void)argument;
  munmap(page, 4096);
  return (void*)&count;
}

static void faulting(void) {
  struct sigaction action = {.sa_handler = jump, .sa_flags = SA_ONSTACK};
  MUST(sigaction(SIGSEGV, &action, NULL) == 0);
  pthread_t threads[4];
  void* result = NULL;
  for (int i = 0; i < 4; ++i) MUST(pthread_create(&threads[i], NULL, faults, NULL) == 0);
  for (int i = 0; i < 4; ++i) MUST(pthread_join(threads[i], &result) == 0);
  say("faults of four threads: %d, on their own stacks %d", *(volatile int*)result, on_own_stack);
  signal(SIGSEGV, SIG_DFL);
}

static void* reads(void* fd) {
  char byte;
  sem_post(&ready);
  const ssize_t got = read((int)(long)fd, &byte, 1);
  return (void*)(long)(got == -1 ? -errno : got);
}

static void interrupted(void) {
  struct sigaction action = {.sa_handler = handler};
  MUST(sigaction(SIGUSR1, &action, NULL) == 0);
  int fds[2];
  MUST(pipe(fds) == 0);
  pthread_t first, second;
  void *one, *two;
  MUST(pthread_create(&first, NULL, reads, (void*)(long)fds[0]) == 0);
  sem_wait(&ready);
  nap(10);
  MUST(pthread_create(&second, NULL, reads, (void*)(long)fds[0]) == 0);
  sem_wait(&ready);
  nap(10);
  MUST(pthread_kill(first, SIGUSR1) == 0 && pthread_join(first, &one) == 0);
  MUST(write(fds[1], "x", 1) == 1 && pthread_join(second, &two) == 0);
  say("read in two threads: %s and %ld", error_name(-(int)(long)one), (long)two);
}

static void* spins(void* argument) {
  volatile unsigned* progress = argument;
  sem_post(&done);
  while (!stop) ++*progress;
  return NULL;
}

static void fatal(void) {
  /* A fatal signal to one thread ends all; so does an exit in any of them. */
  for (int how = 0; how < 3; ++how) {
    const pid_t child = must_fork();
    if (child == 0) {
      static volatile unsigned progress;
      pthread_t thread;
      MUST(pthread_create(&thread, NULL, spins, (void*)&progress) == 0);
      sem_wait(&done);
      if (how == 0) pthread_kill(thread, SIGTERM);
      else if (how == 1) raise(SIGKILL);
      else exit(12);
      for (;;) nap(100);
    }
    say("%s: %s", how == 0 ? "SIGTERM to a thread" : how == 1 ? "SIGKILL" : "exit", status_text(must_wait(child)));
  }
  /* Stopping stops every thread. */
  volatile unsigned* progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const pid_t child = must_fork();
  if (child == 0) {
    pthread_t threads[3];
    for (int i = 0; i < 3; ++i) MUST(pthread_create(&threads[i], NULL, spins, (void*)&progress[i]) == 0);
    for (;;) nap(100);
  }
  for (int i = 0; i < 3; ++i) while (progress[i] == 0) nap(1);
  int status;
  MUST(kill(child, SIGSTOP) == 0 && waitpid(child, &status, WUNTRACED) == child);
  unsigned before[3], after[3];
  for (int i = 0; i < 3; ++i) before[i] = progress[i];
  nap(20);
  for (int i = 0; i < 3; ++i) after[i] = progress[i];
  say("%s: %s", status_text(status), memcmp(before, after, sizeof before) ? "somebody runs" : "nobody runs");
  MUST(kill(child, SIGCONT) == 0);
  for (int i = 0; i < 3; ++i) while (progress[i] == after[i]) nap(1);
  say("continued: all run");
  kill(child, SIGKILL);
  must_wait(child);
}

int main(void) {
  MUST(sem_init(&ready, 0, 0) == 0 && sem_init(&done, 0, 0) == 0);
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  MUST(sigaction(SIGUSR1, &action, NULL) == 0);
  each_thread();
  to_the_process();
  a_signal_thread();
  faulting();
  interrupted();
  fatal();
  return 0;
}
