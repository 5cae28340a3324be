/* fork, exit and the wait family: what each variant answers, what siginfo holds, who may be waited for, zombies,
 * orphans. waitid's structure is printed field by field. */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "support/say.h"

static pid_t exiting_child(int code) {
  const pid_t pid = must_fork();
  if (pid == 0) _exit(code);
  return pid;
}

static void nap(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&t, &t) == -1 && errno == EINTR) {}
}

static void show_info(const char* what, int result, const siginfo_t* info, pid_t child) {
  if (result == -1) {
    say("%s: %s", what, error_name(errno));
    return;
  }
  say("%s: signo %d, errno %d, %s, pid %s, uid %s, status %d", what, info->si_signo, info->si_errno,
      info->si_signo == 0 ? "nothing" : cld_name(info->si_code),
      info->si_pid == child ? "the child's" : info->si_pid == 0 ? "0" : "another",
      info->si_uid == getuid() ? "ours" : "another", info->si_status);
}

static void statuses(void) {
  static const int codes[] = {0, 1, 42, 255, 256 + 7, -1};
  for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; ++i)
    say("exit(%d): %s", codes[i], status_text(must_wait(exiting_child(codes[i]))));
  static const int signals[] = {SIGHUP, SIGKILL, SIGTERM, SIGSEGV, SIGABRT, SIGFPE, SIGPIPE, SIGALRM, SIGUSR1};
  for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; ++i) {
    const pid_t pid = must_fork();
    if (pid == 0) {
      raise(signals[i]);
      _exit(1);
    }
    /* Whether a core is written depends on the host's settings, the bit on RLIMIT_CORE. */
    say("%s: %s", signal_name(signals[i]), status_text(must_wait(pid) & ~0x80));
  }
}

static void variants(void) {
  int status = 0;
  say("wait without children: %s", OUTCOME(wait(&status)));
  say("waitpid of a stranger: %s", OUTCOME(waitpid(1, &status, 0)));
  say("waitpid of ourselves: %s", OUTCOME(waitpid(getpid(), &status, 0)));
  say("waitpid, unknown option: %s", OUTCOME(waitpid(-1, &status, 0x40)));
  say("waitpid INT_MIN: %s", OUTCOME(waitpid(-2147483647 - 1, &status, 0)));
  struct gate gate = new_gate();
  const pid_t child = must_fork();
  if (child == 0) {
    wait_for(gate);
    _exit(3);
  }
  say("WNOHANG, still running: %s", waitpid(child, &status, WNOHANG) == 0 ? "0" : "something");
  say("another group: %s", OUTCOME(waitpid(-child, &status, WNOHANG)));
  say("our group: %d", waitpid(0, &status, WNOHANG));
  tell(gate);
  say("our group, blocking: %s", waitpid(0, &status, 0) == child ? status_text(status) : "no");
  say("a second time: %s", OUTCOME(waitpid(child, &status, 0)));
  drop_gate(gate);
  const pid_t bad = exiting_child(9);
  say("status to a bad address: %s", OUTCOME(waitpid(bad, (int*)8, 0)));
  say("and it is gone: %s", OUTCOME(waitpid(bad, &status, 0)));
  const pid_t none = exiting_child(4);
  say("no status wanted: %s", waitpid(none, NULL, 0) == none ? "ok" : "no");
  struct rusage usage;
  memset(&usage, 0xff, sizeof usage);
  const pid_t used = exiting_child(4);
  MUST(wait4(used, &status, 0, &usage) == used);
  say("wait4: minor faults %s, major %ld, swaps %ld", usage.ru_minflt > 0 ? "some" : "none", usage.ru_majflt,
      usage.ru_nswap);
  /* In any order, every child once. */
  int codes = 0, count = 0;
  for (int i = 0; i < 10; ++i) exiting_child(1 << i % 8);
  while (wait(&status) > 0) codes += WEXITSTATUS(status), ++count;
  say("%d children, sum of codes %d, then %s", count, codes, error_name(errno));
}

static void waitid_variants(void) {
  siginfo_t info;
  memset(&info, 0xff, sizeof info);
  show_info("no options", waitid(P_ALL, 0, &info, 0), &info, 0);
  show_info("WNOHANG alone", waitid(P_ALL, 0, &info, WNOHANG), &info, 0);
  show_info("unknown option", waitid(P_ALL, 0, &info, WEXITED | 0x100), &info, 0);
  show_info("bad kind", waitid((idtype_t)9, 0, &info, WEXITED), &info, 0);
  show_info("pid 0", waitid(P_PID, 0, &info, WEXITED), &info, 0);
  show_info("no children", waitid(P_ALL, 0, &info, WEXITED), &info, 0);
  struct gate gate = new_gate();
  const pid_t child = must_fork();
  if (child == 0) {
    wait_for(gate);
    _exit(300);
  }
  show_info("running, WNOHANG", waitid(P_PID, child, &info, WEXITED | WNOHANG), &info, child);
  tell(gate);
  show_info("WNOWAIT", waitid(P_PID, child, &info, WEXITED | WNOWAIT), &info, child);
  show_info("again", waitid(P_PGID, 0, &info, WEXITED | WNOWAIT), &info, child);
  show_info("only stopped ones", waitid(P_PID, child, &info, WSTOPPED | WNOHANG), &info, child);
  show_info("reaped", waitid(P_ALL, 0, &info, WEXITED), &info, child);
  drop_gate(gate);
  pid_t killed = must_fork();
  if (killed == 0)
    for (;;) pause();
  kill(killed, SIGSTOP);
  show_info("stopped", waitid(P_PID, killed, &info, WSTOPPED), &info, killed);
  show_info("told once", waitid(P_PID, killed, &info, WSTOPPED | WNOHANG), &info, killed);
  kill(killed, SIGCONT);
  show_info("continued", waitid(P_PID, killed, &info, WCONTINUED), &info, killed);
  kill(killed, SIGSTOP);
  int status;
  say("waitpid WUNTRACED: %s", waitpid(killed, &status, WUNTRACED) == killed ? status_text(status) : "no");
  kill(killed, SIGCONT);
  say("waitpid WCONTINUED: %s", waitpid(killed, &status, WCONTINUED) == killed ? status_text(status) : "no");
  kill(killed, SIGSTOP);
  kill(killed, SIGKILL);
  show_info("killed while stopped", waitid(P_PID, killed, &info, WEXITED), &info, killed);
  /* The raw call's rusage, and without a structure. */
  long usage[18] = {0}; /* struct rusage of i386, whatever libc's is; word 8 counts minor faults */
  const pid_t last = exiting_child(5);
  say("raw waitid: %s", OUTCOME(syscall(SYS_waitid, P_PID, last, NULL, WEXITED, usage)));
  say("its faults: %s", usage[8] > 0 ? "some" : "none");
}

static void orphans(void) {
  /* The orphan of a child of ours comes to us only when we ask for it. */
  MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  int reaper = 0;
  MUST(prctl(PR_GET_CHILD_SUBREAPER, &reaper) == 0);
  struct gate gate = new_gate(), ready = new_gate();
  const pid_t child = must_fork();
  if (child == 0) {
    if (must_fork() == 0) {
      const pid_t parent = getppid();
      tell(ready);
      wait_for(gate);
      say("the orphan's parent: %s", getppid() == parent ? "the same" : getppid() == getpgrp() ? "the reaper" : "another");
      _exit(66);
    }
    wait_for(ready);
    _exit(0);
  }
  say("reaper %d, child %s", reaper, status_text(must_wait(child)));
  tell(gate);
  int status;
  const pid_t orphan = wait(&status);
  say("orphan reaped: %s, %s", orphan > 0 && orphan != child ? "yes" : "no", status_text(status));
  MUST(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
  /* A zombie's children are handed on too, and a zombie stays until it is waited for. */
  const pid_t zombie = exiting_child(1);
  siginfo_t info;
  MUST(waitid(P_PID, zombie, &info, WEXITED | WNOWAIT) == 0);
  say("zombie: kill 0 %s, TERM %s", OUTCOME(kill(zombie, 0)), OUTCOME(kill(zombie, SIGTERM)));
  say("  sigqueue %s, tgkill %s", OUTCOME(sigqueue(zombie, SIGUSR1, (union sigval){0})),
      OUTCOME(syscall(SYS_tgkill, zombie, zombie, SIGUSR1)));
  say("zombie's status: %s", status_text(must_wait(zombie)));
  say("then: %s", OUTCOME(kill(zombie, 0)));
  drop_gate(gate);
  drop_gate(ready);
}

static void children_rusage(void) {
  struct rusage before, after;
  MUST(getrusage(RUSAGE_CHILDREN, &before) == 0);
  const pid_t child = must_fork();
  if (child == 0) {
    /* A grandchild that is waited for counts, one that is not does not. */
    must_wait(exiting_child(0));
    _exit(0);
  }
  MUST(getrusage(RUSAGE_CHILDREN, &after) == 0);
  say("before the wait: %ld more", after.ru_minflt - before.ru_minflt);
  must_wait(child);
  MUST(getrusage(RUSAGE_CHILDREN, &after) == 0);
  say("after it: %s", after.ru_minflt > before.ru_minflt ? "more" : "no more");
}

int main(void) {
  MUST(setpgid(0, 0) == 0 || errno == EPERM);
  statuses();
  variants();
  waitid_variants();
  orphans();
  children_rusage();
  nap(1);
  return 0;
}
