/* SIGCHLD: siginfo for every way a child ends, stops and goes on; SA_NOCLDSTOP, SA_NOCLDWAIT and ignoring, which leave no
 * zombie; one pending SIGCHLD for several children; the signal of a parent's death. */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <time.h>

#include "support/say.h"

static siginfo_t seen[8];
static volatile sig_atomic_t count;

static void note(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  if (count < 8) seen[count] = *info;
  ++count;
}

static void nap(long ms) {
  struct timespec t = {0, ms * 1000000};
  while (nanosleep(&t, &t) == -1 && errno == EINTR) {}
}

static void install(int flags) {
  struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};
  MUST(sigaction(SIGCHLD, &action, NULL) == 0);
  count = 0;
}

static void expect(int wanted) {
  for (int i = 0; count < wanted && i < 2000; ++i) nap(1);
}

static void show(const char* what, pid_t pid) {
  expect(1);
  const siginfo_t* info = &seen[0];
  say("%s: %d signal, signo %d, errno %d, %s, pid %s, uid %s, status %d", what, (int)count, info->si_signo,
      info->si_errno, cld_name(info->si_code), info->si_pid == pid ? "the child's" : "another",
      info->si_uid == getuid() ? "ours" : "another", info->si_status);
  count = 0;
}

static pid_t pausing_child(void) {
  struct gate ready = new_gate();
  const pid_t pid = must_fork();
  if (pid == 0) {
    tell(ready);
    for (;;) pause();
  }
  wait_for(ready);
  drop_gate(ready);
  return pid;
}

static void siginfo(void) {
  install(0);
  pid_t pid = must_fork();
  if (pid == 0) _exit(0x1234);
  show("exit", pid);
  must_wait(pid);
  pid = pausing_child();
  count = 0;
  kill(pid, SIGSTOP);
  show("stopped", pid);
  kill(pid, SIGCONT);
  show("continued", pid);
  kill(pid, SIGTERM);
  show("killed", pid);
  must_wait(pid);
  install(SA_NOCLDSTOP);
  pid = pausing_child();
  kill(pid, SIGSTOP);
  int status;
  MUST(waitpid(pid, &status, WUNTRACED) == pid);
  kill(pid, SIGCONT);
  MUST(waitpid(pid, &status, WCONTINUED) == pid);
  say("SA_NOCLDSTOP: %d signals", (int)count);
  kill(pid, SIGKILL);
  show("its end", pid);
  must_wait(pid);
}

static void one_pending(void) {
  install(0);
  sigset_t mask, old, pending;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  MUST(sigprocmask(SIG_BLOCK, &mask, &old) == 0);
  pid_t first = 0;
  siginfo_t info;
  for (int i = 0; i < 5; ++i) {
    const pid_t pid = must_fork();
    if (pid == 0) _exit(i);
    if (i == 0) first = pid;
    MUST(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
  }
  MUST(sigpending(&pending) == 0);
  say("blocked: pending %d, handled %d", sigismember(&pending, SIGCHLD), (int)count);
  MUST(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
  say("five ends: %d signal, of the %s", (int)count, seen[0].si_pid == first ? "first" : "last");
  int reaped = 0, status;
  while (waitpid(-1, &status, WNOHANG) > 0) ++reaped;
  say("reaped %d", reaped);
  /* Waiting for a signal that is blocked. */
  MUST(sigprocmask(SIG_BLOCK, &mask, NULL) == 0);
  const pid_t pid = must_fork();
  if (pid == 0) _exit(9);
  const struct timespec limit = {5, 0};
  const int got = sigtimedwait(&mask, &info, &limit);
  say("sigtimedwait: %s, %s, status %d, pid %s", signal_name(got), cld_name(info.si_code), info.si_status,
      info.si_pid == pid ? "the child's" : "another");
  must_wait(pid);
  MUST(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
}

static void no_zombies(void) {
  signal(SIGCHLD, SIG_IGN);
  for (int i = 0; i < 3; ++i)
    if (must_fork() == 0) {
      nap(5 + 5 * i);
      _exit(1);
    }
  int status;
  const pid_t got = waitpid(-1, &status, 0);
  say("ignored: wait blocks until all are gone, then %s", got == -1 ? error_name(errno) : "a child");
  install(SA_NOCLDWAIT);
  const pid_t pid = must_fork();
  if (pid == 0) _exit(2);
  expect(1);
  say("SA_NOCLDWAIT: %d signal, %s, status %d, wait %s", (int)count, cld_name(seen[0].si_code), seen[0].si_status,
      OUTCOME(waitpid(pid, &status, 0)));
  /* An existing zombie stays one when SIGCHLD becomes ignored. */
  signal(SIGCHLD, SIG_DFL);
  const pid_t zombie = must_fork();
  if (zombie == 0) _exit(3);
  siginfo_t info;
  MUST(waitid(P_PID, zombie, &info, WEXITED | WNOWAIT) == 0);
  signal(SIGCHLD, SIG_IGN);
  say("zombie before: %s", waitpid(zombie, &status, 0) == zombie ? status_text(status) : error_name(errno));
  signal(SIGCHLD, SIG_DFL);
  /* Without a handler the default ignores the signal, but not the child. */
  const pid_t plain = must_fork();
  if (plain == 0) _exit(4);
  say("default: %s", status_text(must_wait(plain)));
}

static void parents_death(void) {
  struct gate ready = new_gate(), report = new_gate();
  const pid_t parent = must_fork();
  if (parent == 0) {
    if (must_fork() == 0) {
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGUSR1);
      MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
      const pid_t old_parent = getppid();
      tell(ready);
      siginfo_t info;
      const int got = sigwaitinfo(&set, &info);
      say("parent's death: %s, code %d, from %s; parent now %s", signal_name(got), info.si_code,
          info.si_pid == old_parent ? "the parent" : "another", getppid() == old_parent ? "the same" : "another");
      /* fork clears it. */
      if (must_fork() == 0) {
        int signal = -1;
        MUST(prctl(PR_GET_PDEATHSIG, &signal) == 0);
        say("in its child: %s", signal_name(signal));
        tell(report);
        _exit(0);
      }
      int status;
      wait(&status);
      _exit(0);
    }
    wait_for(ready);
    _exit(0);
  }
  must_wait(parent);
  wait_for(report);
  say("PDEATHSIG 65: %s", OUTCOME(prctl(PR_SET_PDEATHSIG, 65)));
  drop_gate(ready);
  drop_gate(report);
}

int main(void) {
  siginfo();
  one_pending();
  no_zombies();
  parents_death();
  return 0;
}
