/* Process groups and sessions: setpgid, setsid and the tc calls with their errors, signals to groups, a group that is
 * orphaned while a member is stopped. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "support/say.h"

static pid_t pausing_child(struct gate ready) {
  const pid_t pid = must_fork();
  if (pid == 0) {
    tell(ready);
    for (;;) pause();
  }
  wait_for(ready);
  return pid;
}

static void end(pid_t pid) {
  kill(pid, SIGKILL);
  must_wait(pid);
}

static void ids(void) {
  const pid_t child = must_fork();
  if (child == 0) {
    say("inherited: group %s, session %s", getpgrp() == getpgid(getppid()) ? "same" : "other",
        getsid(0) == getsid(getppid()) ? "same" : "other");
    say("setpgid(0, 0): %s", OUTCOME(setpgid(0, 0)));
    say("group: %s", getpgrp() == getpid() ? "own" : "another");
    say("setsid as a group's leader: %s", OUTCOME(setsid()));
    if (must_fork() == 0) {
      const pid_t session = setsid();
      say("setsid: %s, session %s, group %s", session == getpid() ? "ok" : "no", getsid(0) == getpid() ? "own" : "other",
          getpgrp() == getpid() ? "own" : "other");
      say("setsid again: %s", OUTCOME(setsid()));
      say("setpgid of a session's leader: %s", OUTCOME(setpgid(0, 0)));
      say("the parent's session is %s", getsid(getppid()) == getsid(0) ? "the same" : "another");
      say("setpgid into the parent's group: %s", OUTCOME(setpgid(0, getpgid(getppid()))));
      _exit(0);
    }
    int status;
    wait(&status);
    _exit(0);
  }
  must_wait(child);
}

static void errors(void) {
  struct gate ready = new_gate();
  const pid_t child = pausing_child(ready), other = pausing_child(ready);
  say("negative group: %s", OUTCOME(setpgid(child, -1)));
  say("negative pid: %s", OUTCOME(setpgid(-1, 0)));
  say("no such process: %s", OUTCOME(setpgid(4000000, 0)));
  say("not a child: %s", OUTCOME(setpgid(getppid(), 0)));
  say("no such group: %s", OUTCOME(setpgid(child, 4000000)));
  say("own group for the child: %s", OUTCOME(setpgid(child, child)));
  say("its group: %s", getpgid(child) == child ? "own" : "another");
  say("other joins it: %s", OUTCOME(setpgid(other, child)));
  say("other leaves it: %s", OUTCOME(setpgid(other, 0)));
  say("its group: %s", getpgid(other) == other ? "own" : "another");
  say("getpgid(-1): %s, getsid(-1): %s", OUTCOME(getpgid(-1)), OUTCOME(getsid(-1)));
  say("getpgid(4000000): %s, getsid(4000000): %s", OUTCOME(getpgid(4000000)), OUTCOME(getsid(4000000)));
  end(other);
  say("a group ended: %s", OUTCOME(setpgid(child, other)));
  end(child);
  /* A child in a session of its own. */
  struct gate done = new_gate();
  const pid_t apart = must_fork();
  if (apart == 0) {
    setsid();
    tell(done);
    for (;;) pause();
  }
  wait_for(done);
  say("child of another session: %s", OUTCOME(setpgid(apart, 0)));
  end(apart);
  /* After its exec a child decides itself. The descriptor closes when the exec is done. */
  int fds[2];
  MUST(pipe2(fds, O_CLOEXEC) == 0);
  const pid_t executed = must_fork();
  if (executed == 0) {
    close(fds[0]);
    execl("/proc/self/exe", "process_groups", "pause", (char*)0);
    _exit(99);
  }
  close(fds[1]);
  char byte;
  MUST(read(fds[0], &byte, 1) == 0);
  close(fds[0]);
  say("child after exec: %s", OUTCOME(setpgid(executed, 0)));
  end(executed);
  drop_gate(ready);
  drop_gate(done);
}

static void terminals(void) {
  int fds[2];
  MUST(pipe(fds) == 0);
  say("tcgetpgrp of a pipe: %s", OUTCOME(tcgetpgrp(fds[0])));
  say("tcsetpgrp of a pipe: %s", OUTCOME(tcsetpgrp(fds[0], getpgrp())));
  say("tcgetsid of a pipe: %s", OUTCOME(tcgetsid(fds[0])));
  say("tcgetpgrp of nothing: %s", OUTCOME(tcgetpgrp(77)));
  const pid_t child = must_fork();
  if (child == 0) {
    setsid();
    say("/dev/tty without a terminal: %s", open("/dev/tty", O_RDWR) == -1 ? "no" : "opened");
    _exit(0);
  }
  must_wait(child);
  close(fds[0]);
  close(fds[1]);
}

static void signals_to_groups(void) {
  struct gate ready = new_gate();
  pid_t members[4];
  for (int i = 0; i < 4; ++i) {
    members[i] = pausing_child(ready);
    MUST(setpgid(members[i], members[0]) == 0);
  }
  MUST(setpgid(members[3], 0) == 0);
  say("kill the group: %s", OUTCOME(kill(-members[0], SIGTERM)));
  for (int i = 0; i < 3; ++i) say("member %d: %s", i, status_text(must_wait(members[i])));
  int status;
  say("the one that left: %s", waitpid(members[3], &status, WNOHANG) == 0 ? "runs" : "ended");
  say("kill the empty group: %s", OUTCOME(kill(-members[0], SIGTERM)));
  say("waitpid for a group: %s", OUTCOME(waitpid(-members[0], &status, 0)));
  say("killpg: %s", OUTCOME(killpg(members[3], SIGINT)));
  say("waitpid for its group: %s", waitpid(-members[3], &status, 0) == members[3] ? status_text(status) : "no");
  /* kill(0) reaches the own group: from within a child's. */
  const pid_t leader = must_fork();
  if (leader == 0) {
    setpgid(0, 0);
    for (int i = 0; i < 3; ++i) pausing_child(ready);
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    int count = 0, killed = 0;
    while (wait(&status) > 0) ++count, killed += WIFSIGNALED(status);
    say("kill(0): %d of %d children killed", killed, count);
    _exit(0);
  }
  must_wait(leader);
  drop_gate(ready);
}

static volatile sig_atomic_t order[8], caught;
static void note(int signal) { order[caught++] = signal; }

static void orphaned_group(void) {
  struct gate ready = new_gate(), report = new_gate();
  const pid_t parent = must_fork();
  if (parent == 0) {
    const pid_t stopped = must_fork();
    if (stopped == 0) {
      setpgid(0, 0);
      signal(SIGHUP, note);
      signal(SIGCONT, note);
      tell(ready);
      raise(SIGSTOP);
      /* Both are pending when it continues; the handlers run before raise comes back. */
      while (caught < 2) usleep(1000);
      say("orphaned while stopped: %s and %s", signal_name(order[0]), signal_name(order[1]));
      tell(report);
      _exit(0);
    }
    wait_for(ready);
    int status;
    MUST(waitpid(stopped, &status, WUNTRACED) == stopped && WIFSTOPPED(status));
    _exit(0);
  }
  must_wait(parent);
  wait_for(report);
  drop_gate(ready);
  drop_gate(report);
  /* Nobody could continue a member of an orphaned group: only SIGSTOP stops it. */
  const pid_t alone = must_fork();
  if (alone == 0) {
    setsid();
    raise(SIGTSTP);
    raise(SIGTTIN);
    raise(SIGTTOU);
    say("in an orphaned group SIGTSTP, SIGTTIN and SIGTTOU do nothing");
    raise(SIGSTOP);
    _exit(5);
  }
  int status;
  MUST(waitpid(alone, &status, WUNTRACED) == alone);
  say("SIGSTOP does: %s", status_text(status));
  kill(alone, SIGCONT);
  say("then: %s", status_text(must_wait(alone)));
}

int main(int argc, char** argv) {
  (void)argv;
  if (argc > 1)
    for (;;) pause();
  ids();
  errors();
  terminals();
  signals_to_groups();
  orphaned_group();
  return 0;
}
