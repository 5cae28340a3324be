/* A handler that runs while a call sleeps: which calls go on with SA_RESTART, which answer EINTR, what is left of a sleep.
 * The signal comes from a child after a moment, or from an interval timer. */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "support/say.h"

static volatile sig_atomic_t handled;
static void handler(int signal) { (void)signal, ++handled; }

static void install(int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  MUST(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
  handled = 0;
}

static void nap(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&t, &t) == -1 && errno == EINTR) {}
}

static long milliseconds(void) {
  struct timespec now;
  MUST(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A child that signals us after 60 ms and writes to `fd` after 120, then exits with 7. */
static pid_t disturber(int fd) {
  const pid_t pid = must_fork();
  if (pid == 0) {
    nap(60);
    kill(getppid(), SIGUSR1);
    nap(60);
    if (fd >= 0) MUST(write(fd, "data", 4) == 4);
    _exit(7);
  }
  return pid;
}

static int fds[2];

static void calls(int flags) {
  const char* with = flags & SA_RESTART ? "SA_RESTART" : "no SA_RESTART";
  char buffer[8];
  install(flags);
  pid_t child = disturber(fds[1]);
  ssize_t got = read(fds[0], buffer, sizeof buffer);
  say("%s, read: %s, handled %d", with, got == -1 ? error_name(errno) : got == 4 ? "4 bytes" : "other", (int)handled);
  must_wait(child);
  if (got == -1) MUST(read(fds[0], buffer, sizeof buffer) == 4);

  install(flags);
  child = disturber(-1);
  int status = 0;
  pid_t waited = waitpid(child, &status, 0);
  say("%s, waitpid: %s, handled %d", with, waited == -1 ? error_name(errno) : status_text(status), (int)handled);
  if (waited == -1) must_wait(child);

  install(flags);
  child = disturber(fds[1]);
  struct pollfd poll_fd = {fds[0], POLLIN, 0};
  int ready = poll(&poll_fd, 1, 5000);
  say("%s, poll: %s", with, ready == -1 ? error_name(errno) : "ready");
  must_wait(child);
  MUST(read(fds[0], buffer, sizeof buffer) == 4);

  install(flags);
  child = disturber(fds[1]);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fds[0], &set);
  struct timeval limit = {5, 0};
  ready = select(fds[0] + 1, &set, NULL, NULL, &limit);
  say("%s, select: %s", with, ready == -1 ? error_name(errno) : "ready");
  must_wait(child);
  MUST(read(fds[0], buffer, sizeof buffer) == 4);

  install(flags);
  child = disturber(-1);
  struct timespec t = {0, 200000000}, left = {9, 9};
  int slept = nanosleep(&t, &left);
  say("%s, nanosleep: %s, left %s", with, slept == 0 ? "slept" : error_name(errno),
      left.tv_sec == 0 && left.tv_nsec > 60000000 && left.tv_nsec < 190000000 ? "about 140 ms"
      : left.tv_sec == 9                                                    ? "untouched"
                                                                             : "another time");
  must_wait(child);

  install(flags);
  child = disturber(-1);
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += 200000000;
  if (until.tv_nsec >= 1000000000) ++until.tv_sec, until.tv_nsec -= 1000000000;
  slept = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
  say("%s, clock_nanosleep until: %s", with, error_name(slept));
  must_wait(child);

  install(flags);
  child = disturber(-1);
  int word = 1;
  /* Raw, with the kernel's 32-bit structure: musl tries sigtimedwait again. */
  const long limit32[2] = {0, 400000000};
  long begin = milliseconds();
  long result = syscall(240 /* futex */, &word, 0, 1, limit32, NULL, 0);
  const long took = milliseconds() - begin;
  say("%s, futex: %s, %s", with, result == -1 ? error_name(errno) : "woken", took < 300 ? "at once" : "after its time");
  must_wait(child);

  install(flags);
  child = disturber(-1);
  sigset_t usr2;
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  say("%s, sigtimedwait: %s", with, OUTCOME(syscall(177 /* rt_sigtimedwait */, &usr2, NULL, limit32, 8)));
  must_wait(child);

  install(flags);
  child = disturber(-1);
  say("%s, pause: %s", with, OUTCOME(pause()));
  must_wait(child);

  /* A write into a full pipe. */
  int full[2];
  MUST(pipe(full) == 0);
  install(flags);
  static char much[70000];
  const pid_t reader = must_fork();
  if (reader == 0) {
    close(full[1]);
    nap(60);
    kill(getppid(), SIGUSR1);
    nap(60);
    while (read(full[0], much, sizeof much) > 0) {}
    _exit(0);
  }
  close(full[0]);
  const ssize_t written = write(full[1], much, sizeof much);
  if (written == -1) say("%s, write: %s", with, error_name(errno));
  else say("%s, write: %d bytes, handled %d", with, (int)written, (int)handled);
  close(full[1]);
  must_wait(reader);
  /* A handler for SIGCHLD, with nothing to restart. */
}

static void without_handler(void) {
  /* Ignored signals and stop and continue disturb no call, except that a sleep goes on with what is left. */
  signal(SIGUSR1, SIG_IGN);
  char buffer[8];
  pid_t child = disturber(fds[1]);
  say("ignored, read: %d bytes", (int)read(fds[0], buffer, sizeof buffer));
  must_wait(child);
  const pid_t sleeper = must_fork();
  if (sleeper == 0) {
    const long begin = milliseconds();
    struct timespec t = {0, 200000000};
    const int slept = nanosleep(&t, NULL);
    const long took = milliseconds() - begin;
    say("stopped and continued, nanosleep: %s, %s", slept == 0 ? "slept" : error_name(errno), took < 200 ? "short" : "long enough");
    struct pollfd poll_fd = {fds[0], POLLIN, 0};
    const int ready = poll(&poll_fd, 1, 300);
    say("stopped and continued, poll: %s", ready == 0 ? "time is up" : ready == -1 ? error_name(errno) : "ready");
    _exit(0);
  }
  for (int i = 0; i < 2; ++i) {
    nap(100);
    kill(sleeper, SIGSTOP);
    int status;
    MUST(waitpid(sleeper, &status, WUNTRACED) == sleeper && WIFSTOPPED(status));
    nap(20);
    kill(sleeper, SIGCONT);
    nap(120);
  }
  must_wait(sleeper);
}

static void suspending(void) {
  install(SA_RESTART);
  sigset_t usr1, old, now;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  MUST(sigprocmask(SIG_BLOCK, &usr1, &old) == 0);
  raise(SIGUSR1);
  say("before sigsuspend: handled %d", (int)handled);
  const int result = sigsuspend(&old);
  say("sigsuspend: %s, handled %d", result == -1 ? error_name(errno) : "ok", (int)handled);
  MUST(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
  say("mask afterwards: USR1 %s", sigismember(&now, SIGUSR1) ? "blocked" : "open");
  raise(SIGUSR1);
  const struct timespec limit = {1, 0};
  const int ready = ppoll(NULL, 0, &limit, &old);
  say("ppoll with a mask: %s, handled %d", ready == -1 ? error_name(errno) : "time is up", (int)handled);
  raise(SIGUSR1);
  const int selected = pselect(0, NULL, NULL, NULL, &limit, &old);
  say("pselect with a mask: %s, handled %d", selected == -1 ? error_name(errno) : "time is up", (int)handled);
  MUST(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
}

static void timers(void) {
  install(0);
  const struct itimerval ten = {{0, 10000}, {0, 30000}};
  struct itimerval old, now;
  MUST(setitimer(ITIMER_REAL, &ten, &old) == 0);
  say("old timer: %s", old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0 ? "none" : "ran");
  while (handled < 5) pause();
  MUST(getitimer(ITIMER_REAL, &now) == 0);
  say("five ticks; interval %ld us, next within it: %s", (long)now.it_interval.tv_usec,
      now.it_value.tv_sec == 0 && now.it_value.tv_usec <= 10000 ? "yes" : "no");
  const pid_t child = must_fork();
  if (child == 0) {
    struct itimerval own;
    MUST(getitimer(ITIMER_REAL, &own) == 0);
    say("child's timer: %s", own.it_value.tv_usec == 0 ? "none" : "runs");
    _exit(0);
  }
  must_wait(child);
  const struct itimerval stop = {{0, 0}, {0, 0}};
  MUST(setitimer(ITIMER_REAL, &stop, &old) == 0);
  handled = 0;
  nap(30);
  say("stopped: handled %d", (int)handled);
  alarm(100);
  say("alarm: %u left", alarm(50));
  say("then: %u left", alarm(0));
  alarm(1);
  const unsigned left = sleep(5);
  say("alarm ends sleep: handled %d, left %s", (int)handled, left >= 3 && left <= 4 ? "about 4" : "another time");
  say("bad microseconds: %s", OUTCOME(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 1000000}}, NULL)));
}

int main(void) {
  MUST(pipe(fds) == 0);
  calls(0);
  calls(SA_RESTART);
  without_handler();
  suspending();
  timers();
  return 0;
}
