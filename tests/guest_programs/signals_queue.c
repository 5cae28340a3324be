/* Pending signals: which are queued and which merge, the order in which they are delivered, values of sigqueue,
 * RLIMIT_SIGPENDING, sigpending, sigtimedwait and sigwaitinfo, process and thread queues, what a fork inherits. */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "support/say.h"

/* Above what any libc keeps for itself. */
#define RT0 36

static struct {
  int signal, code, value;
} seen[256];
static volatile sig_atomic_t count;

static void note(int signal, siginfo_t* info, void* context) {
  (void)context;
  if (count < 256) {
    seen[count].signal = signal;
    seen[count].code = info->si_code;
    seen[count].value = info->si_value.sival_int;
  }
  ++count;
}

static void show(const char* what) {
  char text[900];
  int length = 0;
  for (int i = 0; i < count && length < 800; ++i) {
    const int s = seen[i].signal;
    if (s >= RT0)
      length += snprintf(text + length, sizeof text - length, " RT+%d", s - RT0);
    else
      length += snprintf(text + length, sizeof text - length, " %s", signal_name(s));
    if (seen[i].code == SI_QUEUE) length += snprintf(text + length, sizeof text - length, "=%d", seen[i].value);
    else if (seen[i].code == SI_TKILL) length += snprintf(text + length, sizeof text - length, "(tkill)");
    else if (seen[i].code != SI_USER) length += snprintf(text + length, sizeof text - length, "(code %d)", seen[i].code);
  }
  text[length] = 0;
  say("%s: %d:%s", what, (int)count, text);
  count = 0;
}

static void queue(int signal, int value) {
  MUST(sigqueue(getpid(), signal, (union sigval){.sival_int = value}) == 0);
}

static sigset_t all, none;
static void block(void) { MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0); }
static void unblock(void) { MUST(sigprocmask(SIG_SETMASK, &none, NULL) == 0); }

static void every_signal(void) {
  int sent = 0, got = 0;
  for (int s = 1; s <= 64; ++s) {
    if (s == SIGKILL || s == SIGSTOP || (s >= 32 && s < RT0)) continue;
    MUST(kill(getpid(), s) == 0);
    ++sent;
  }
  got = count;
  say("each of the 64 but KILL, STOP and libc's own: sent %d, handled %d", sent, got);
  count = 0;
  block();
  for (int s = 64; s >= 1; --s)
    if (s != SIGKILL && s != SIGSTOP && !(s >= 32 && s < RT0)) MUST(kill(getpid(), s) == 0);
  unblock();
  /* All at once: a frame for each in the order of dequeueing, so that the last one's handler runs first. */
  int rising = 0, falling = 0;
  for (int i = 1; i < count; ++i) {
    rising += seen[i].signal > seen[i - 1].signal;
    falling += seen[i].signal < seen[i - 1].signal;
  }
  say("all pending: %d handled, %d rising, %d falling; first %d, last %d", (int)count, rising, falling, seen[0].signal,
      seen[count - 1].signal);
  count = 0;
}

static void order(void) {
  block();
  queue(RT0 + 3, 1), queue(RT0 + 1, 2), queue(RT0 + 3, 3), queue(RT0 + 1, 4), queue(RT0 + 2, 5);
  kill(getpid(), SIGUSR2), kill(getpid(), SIGUSR1), kill(getpid(), SIGUSR2), queue(SIGUSR1, 6);
  unblock();
  show("mixed");
  /* One by one: each handler blocks everything, so the next comes when it has returned. */
  struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO, .sa_mask = all};
  for (int s = RT0; s <= RT0 + 3; ++s) MUST(sigaction(s, &action, NULL) == 0);
  MUST(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0);
  block();
  for (int i = 0; i < 4; ++i) queue(RT0 + 1, 10 + i), queue(RT0, 20 + i);
  kill(getpid(), SIGUSR2), kill(getpid(), SIGUSR1);
  unblock();
  show("one by one");
  block();
  for (int i = 0; i < 3; ++i) kill(getpid(), RT0);
  for (int i = 0; i < 3; ++i) kill(getpid(), SIGUSR1);
  for (int i = 0; i < 3; ++i) syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), RT0 + 1);
  sigset_t pending;
  MUST(sigpending(&pending) == 0);
  say("pending: RT+0 %d, RT+1 %d, RT+2 %d, USR1 %d, USR2 %d", sigismember(&pending, RT0), sigismember(&pending, RT0 + 1),
      sigismember(&pending, RT0 + 2), sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2));
  unblock();
  show("queued by kill and tgkill");
  /* The thread's own queue comes before the process's. */
  block();
  queue(RT0, 1);
  syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), RT0);
  syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), RT0 + 2);
  unblock();
  show("thread and process");
}

static void waiting(void) {
  block();
  siginfo_t info;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, RT0);
  sigaddset(&set, RT0 + 1);
  const struct timespec nothing = {0, 0}, little = {0, 20000000}, bad = {0, 1000000000};
  say("sigtimedwait, none pending: %s", OUTCOME(sigtimedwait(&set, &info, &nothing)));
  say("and with 20 ms: %s", OUTCOME(sigtimedwait(&set, &info, &little)));
  say("bad time: %s", OUTCOME(sigtimedwait(&set, &info, &bad)));
  queue(RT0 + 1, 7), queue(RT0 + 2, 8), queue(RT0, 9), queue(RT0, 10);
  for (int i = 0; i < 3; ++i) {
    const int got = sigwaitinfo(&set, &info);
    say("sigwaitinfo: RT+%d, code %d, value %d, from %s", got - RT0, info.si_code, info.si_value.sival_int,
        info.si_pid == getpid() ? "us" : "another");
  }
  say("then: %s", OUTCOME(sigtimedwait(&set, &info, &nothing)));
  /* From another process, while we wait. */
  const pid_t child = must_fork();
  if (child == 0) {
    usleep(20000);
    sigqueue(getppid(), RT0 + 1, (union sigval){.sival_int = 77});
    _exit(0);
  }
  const int got = sigwaitinfo(&set, &info);
  say("from a child: RT+%d, value %d, from %s, uid %s", got - RT0, info.si_value.sival_int,
      info.si_pid == child ? "it" : "another", info.si_uid == getuid() ? "ours" : "another");
  must_wait(child);
  unblock();
  show("left");
  say("sigqueue 0: %s, 65: %s, to nobody: %s", OUTCOME(sigqueue(getpid(), 0, (union sigval){0})),
      OUTCOME(sigqueue(getpid(), 65, (union sigval){0})), OUTCOME(sigqueue(4000000, SIGUSR1, (union sigval){0})));
  /* Only its own process may claim a positive code. */
  siginfo_t forged;
  memset(&forged, 0, sizeof forged);
  forged.si_signo = SIGUSR1;
  forged.si_code = SI_TKILL;
  say("forged code to another: %s", OUTCOME(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &forged)));
}

static void limit(void) {
  /* Ten more than this user has queued already, which is none: a user of our own. */
  const pid_t child = must_fork();
  if (child == 0) {
    if (getuid() == 0) MUST(setresuid(54322, 54322, 54322) == 0);
    const struct rlimit ten = {10, 10};
    MUST(setrlimit(RLIMIT_SIGPENDING, &ten) == 0);
    block();
    int queued = 0, error = 0;
    for (int i = 0; i < 30 && !error; ++i)
      if (sigqueue(getpid(), RT0, (union sigval){.sival_int = i}) == 0) ++queued;
      else error = errno;
    say("RLIMIT_SIGPENDING 10: %d queued, then %s", queued, error_name(error));
    say("kill beyond it: %s, an rt signal by kill: %s", OUTCOME(kill(getpid(), SIGUSR1)),
        OUTCOME(kill(getpid(), RT0 + 1)));
    unblock();
    int values = 0, usr1 = 0, rt1 = 0;
    for (int i = 0; i < count; ++i) {
      values += seen[i].signal == RT0;
      usr1 += seen[i].signal == SIGUSR1;
      rt1 += seen[i].signal == RT0 + 1;
    }
    say("delivered: %d of RT+0, %d of USR1, %d of RT+1", values, usr1, rt1);
    _exit(0);
  }
  must_wait(child);
}

static void inheritance(void) {
  count = 0;
  block();
  queue(RT0, 1);
  kill(getpid(), SIGUSR1);
  const pid_t child = must_fork();
  if (child == 0) {
    sigset_t pending, mask;
    MUST(sigpending(&pending) == 0 && sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
    say("child: pending %d %d, blocked %d", sigismember(&pending, RT0), sigismember(&pending, SIGUSR1),
        sigismember(&mask, RT0));
    unblock();
    say("child handled %d", (int)count);
    _exit(0);
  }
  must_wait(child);
  unblock();
  show("parent");
}

int main(void) {
  sigfillset(&all);
  sigemptyset(&none);
  struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_NODEFER};
  for (int s = 1; s <= 64; ++s)
    if (s != SIGKILL && s != SIGSTOP && !(s >= 32 && s < RT0)) MUST(sigaction(s, &action, NULL) == 0);
  every_signal();
  order();
  waiting();
  limit();
  inheritance();
  return 0;
}
