/* POSIX timers, interval timers on processor time, timerfd, RLIMIT_CPU: what they answer and how often they expire. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "support/answers.h"

/* By hand, 32-bit times and kernel numbers of timers, whatever the libc does. */
struct ts32 { int seconds, nanoseconds; };
struct its32 { struct ts32 interval, value; };
struct event32 { int value, signal, notify, tid; int rest[12]; };
static long create(int clock, struct event32* event, int* id) { return result_of(syscall(259, clock, event, id)); }
static long settime(int id, int flags, struct its32* new, struct its32* old) {
  return result_of(syscall(260, id, flags, new, old));
}
static long gettime(int id, struct its32* now) { return result_of(syscall(261, id, now)); }
static long overrun(int id) { return result_of(syscall(262, id)); }
static long delete(int id) { return result_of(syscall(263, id)); }
static struct its32 ms(int first, int interval) {
  return (struct its32){{interval / 1000, interval % 1000 * 1000000}, {first / 1000, first % 1000 * 1000000}};
}

static volatile int count, last_signal, last_code, last_value, last_overrun, last_id;
static void handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  ++count;
  last_signal = signal;
  last_code = info->si_code;
  last_value = info->si_value.sival_int;
  last_overrun = info->si_overrun;
  last_id = info->si_timerid;
}
static void show(const char* what) {
  printf("  %s: %d, signal %d, code %d, value %d, overrun %d, id %d\n", what, count, last_signal, last_code, last_value,
         last_overrun, last_id);
  count = last_signal = last_code = last_value = last_overrun = last_id = 0;
}
static void block(int signal, int how) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  sigprocmask(how, &set, NULL);
}

static void errors(void) {
  int id = 77;
  struct event32 event = {0};
  struct its32 time = ms(10, 0), bad = {{0, 0}, {0, 1000000000}};
  printf("errors\n");
  printf("  clocks %ld %ld %ld %ld\n", create(99, NULL, &id), create(4, NULL, &id), create(6, NULL, &id), create(-1234567, NULL, &id));
  event.notify = 5;
  printf("  events %ld", create(1, &event, &id));
  event = (struct event32){.signal = 65};
  printf(" %ld", create(1, &event, &id));
  event = (struct event32){.signal = 10, .notify = 4, .tid = 1};
  printf(" %ld", create(1, &event, &id));
  printf(" %ld %ld\n", create(1, (void*)16, &id), create(1, NULL, (void*)16));
  printf("  numbers %ld %ld %ld %ld\n", settime(99, 0, &time, NULL), gettime(99, &time), overrun(99), delete(99));
  printf("  create %ld", create(1, NULL, &id));
  const int first = id;
  printf(" %ld", create(0, NULL, &id));
  printf(", next %d\n", id - first);
  delete(first);
  printf("  times %ld %ld %ld\n", settime(id, 0, NULL, NULL), settime(id, 0, (void*)16, NULL), settime(id, 0, &bad, NULL));
  printf("  unarmed %ld", gettime(id, &time));
  printf(" %d %d\n", time.value.seconds, time.value.nanoseconds);
  printf("  delete %ld %ld\n", delete(id), delete(id));
}

static void signals(void) {
  int id, other;
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGALRM, &action, NULL);
  sigaction(SIGRTMIN, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
  printf("signals\n");
  struct event32 event = {.value = 42, .signal = SIGUSR1};
  create(1, &event, &id);
  const int base = id;
  struct its32 time = ms(20, 0), old;
  settime(id, 0, &time, NULL);
  gettime(id, &old);
  printf("  left %d\n", old.value.seconds == 0 && old.value.nanoseconds > 0 && old.value.nanoseconds <= 20000000);
  pause_ms(60);
  last_id -= base;
  show("once");
  gettime(id, &old);
  printf("  over %d %d\n", old.value.seconds, old.value.nanoseconds);
  time = ms(10, 10);
  settime(id, 0, &time, NULL);
  pause_ms(55);
  printf("  periodic %s\n", count >= 1 && count <= 6 ? "about 5" : "wrong");
  count = 0;
  block(SIGUSR1, SIG_BLOCK);
  pause_ms(95);
  gettime(id, &old);
  printf("  interval %d\n", old.interval.nanoseconds);
  block(SIGUSR1, SIG_UNBLOCK);
  printf("  blocked %d, overrun %s %d\n", count, last_overrun >= 7 && last_overrun <= 100 ? "about 8" : "wrong",
         overrun(id) == last_overrun);
  time = ms(0, 10);
  printf("  stop %ld", settime(id, 0, &time, &old));
  printf(", was %d", old.interval.nanoseconds);
  gettime(id, &old);
  printf(", is %d %d\n", old.interval.nanoseconds, old.value.nanoseconds);
  count = 0;
  pause_ms(30);
  printf("  stopped %d\n", count);
  /* Two timers queue the same classic signal twice. */
  event = (struct event32){.value = 1, .signal = SIGALRM};
  create(1, &event, &other);
  event.value = 2;
  int third;
  create(1, &event, &third);
  block(SIGALRM, SIG_BLOCK);
  time = ms(5, 0);
  settime(other, 0, &time, NULL);
  settime(third, 0, &time, NULL);
  pause_ms(20);
  block(SIGALRM, SIG_UNBLOCK);
  last_id = 0;
  show("two timers");
  /* In the past, by the wall clock. */
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  event = (struct event32){.value = 7, .signal = SIGRTMIN};
  int wall;
  create(0, &event, &wall);
  time = (struct its32){{0, 0}, {(int)now.tv_sec - 5, 0}};
  settime(wall, 1, &time, NULL);
  pause_ms(5);
  last_id = 0;
  last_signal -= SIGRTMIN;
  show("past");
  /* To this thread. */
  event = (struct event32){.value = 9, .signal = SIGUSR1, .notify = 4, .tid = (int)syscall(SYS_gettid)};
  int thread;
  create(1, &event, &thread);
  time = ms(5, 0);
  settime(thread, 0, &time, NULL);
  pause_ms(20);
  last_id = 0;
  show("thread");
  event = (struct event32){.notify = 1};
  int silent;
  create(1, &event, &silent);
  time = ms(5, 0);
  settime(silent, 0, &time, NULL);
  pause_ms(20);
  gettime(silent, &time);
  printf("  silent %d, %d %d\n", count, time.value.seconds, time.value.nanoseconds);
  time = ms(5, 50);
  settime(silent, 0, &time, NULL);
  pause_ms(20);
  gettime(silent, &time);
  printf("  silent, periodic %d\n", time.value.nanoseconds > 0 && time.value.nanoseconds <= 50000000);
  /* Ignored, it goes on. */
  signal(SIGUSR1, SIG_IGN);
  time = ms(5, 5);
  settime(id, 0, &time, NULL);
  pause_ms(20);
  sigaction(SIGUSR1, &action, NULL);
  pause_ms(30);
  printf("  after being ignored %d\n", count > 0);
  /* A child has none. */
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) _exit(gettime(id, &time) == -EINVAL ? 3 : 4);
  int status;
  while (waitpid(child, &status, 0) == -1 && errno == EINTR) {} /* by the timer's signal */
  printf("  in a child %x\n", status);
  printf("  delete %ld\n", delete(id));
  delete(other); delete(third); delete(wall); delete(thread); delete(silent);
  const struct rlimit limit = {0, 0};
  fflush(stdout);
  const pid_t limited = fork();
  if (limited == 0) {
    setrlimit(RLIMIT_SIGPENDING, &limit);
    _exit(create(1, NULL, &id) == -EAGAIN ? 3 : 4);
  }
  waitpid(limited, &status, 0);
  printf("  no room %x\n", status);
}

static void spin_until(volatile int* what, int seconds) {
  struct timespec start, now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
  do {
    for (volatile int i = 0; i < 10000; ++i) {}
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  } while (*what == 0 && now.tv_sec - start.tv_sec < seconds);
}
static void cpu(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGVTALRM, &action, NULL);
  sigaction(SIGPROF, &action, NULL);
  sigaction(SIGXCPU, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
  printf("processor time\n");
  struct itimerval timer = {{0, 0}, {0, 20000}}, old;
  for (int kind = ITIMER_VIRTUAL; kind <= ITIMER_PROF; ++kind) {
    count = 0;
    printf("  set %d", setitimer(kind, &timer, NULL));
    getitimer(kind, &old);
    printf(", left %d", old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 24000);
    pause_ms(50);
    printf(", asleep %d", count);
    spin_until(&count, 5);
    printf(", signal %d code %d\n", last_signal, last_code);
  }
  count = 0;
  for (int clock = CLOCK_PROCESS_CPUTIME_ID; clock <= CLOCK_THREAD_CPUTIME_ID; ++clock) {
    int id;
    struct event32 event = {.value = clock, .signal = SIGUSR1};
    printf("  create %ld", create(clock, &event, &id));
    struct its32 time = ms(20, 0);
    printf(", set %ld", settime(id, 0, &time, NULL));
    spin_until(&count, 5);
    last_id = 0;
    printf("\n");
    show("expired");
    delete(id);
  }
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const struct rlimit limit = {1, 2};
    setrlimit(RLIMIT_CPU, &limit);
    count = 0;
    spin_until(&count, 10);
    signal(SIGXCPU, SIG_DFL);
    if (last_signal != SIGXCPU) _exit(1);
    for (;;) {}
  }
  int status;
  waitpid(child, &status, 0);
  printf("  limit: killed by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}

static void files(void) {
  printf("timerfd\n");
  printf("  create %ld %ld %ld\n", result_of(timerfd_create(99, 0)), result_of(timerfd_create(2, 0)),
         result_of(timerfd_create(1, 1)));
  const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  unsigned long long ticks = 0;
  printf("  flags %x %d\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
  printf("  unarmed %ld, short %ld\n", result_of(read(fd, &ticks, 8)), result_of(read(fd, &ticks, 7)));
  printf("  write %ld\n", result_of(write(fd, &ticks, 8)));
  struct itimerspec time = {{0, 10000000}, {0, 20000000}}, old;
  printf("  set %ld %ld %ld\n", result_of(timerfd_settime(fd, 4, &time, NULL)), result_of(timerfd_settime(0, 0, &time, NULL)),
         result_of(timerfd_settime(999, 0, &time, NULL)));
  printf("  set %ld\n", result_of(timerfd_settime(fd, 0, &time, NULL)));
  timerfd_gettime(fd, &old);
  printf("  left %d, interval %ld\n", old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 20000000, old.it_interval.tv_nsec);
  pause_ms(75);
  printf("  read %ld", result_of(read(fd, &ticks, 8)));
  printf(" %s\n", ticks >= 5 && ticks <= 100 ? "about 6" : "wrong");
  printf("  again %ld\n", result_of(read(fd, &ticks, 8)));
  fcntl(fd, F_SETFL, 0);
  printf("  blocking %ld", result_of(read(fd, &ticks, 8)));
  printf(" %d\n", ticks > 0);
  time = (struct itimerspec){{0, 0}, {0, 0}};
  printf("  stop %ld", result_of(timerfd_settime(fd, 0, &time, &old)));
  printf(", was %ld\n", old.it_interval.tv_nsec);
  timerfd_gettime(fd, &old);
  printf("  stopped %ld %ld\n", old.it_value.tv_nsec, old.it_interval.tv_nsec);
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  time.it_value = (struct timespec){now.tv_sec > 1 ? now.tv_sec - 1 : 0, 1};
  timerfd_settime(fd, TFD_TIMER_ABSTIME, &time, NULL);
  printf("  past %ld", result_of(read(fd, &ticks, 8)));
  printf(" %llu\n", ticks);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  errors();
  signals();
  cpu();
  files();
  return 0;
}
