/* A5: who is charged, and what getrusage and wait4 tell: a fork starts at zero; wait4 gives the child's own faults and those
 * of the children it waited for; RUSAGE_CHILDREN grows at the wait, not at the exit; execve resets nothing; children that
 * nobody waits for count nowhere. The program starts itself again with the argument "again". */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include "support/processes.h"

enum { kPages = 10 };
static long usage[18];

static NOINLINE void show(const char* name, int who) {
  raw3(kSysGetrusage, who, (long)usage, 0);
  put_line(name, usage[8]);
}

static NOINLINE void touch(unsigned pages) { write_pages(map_anon(pages), 0, pages); }

int main(int argc, char** argv) {
  if (argc > 1) {
    touch(kPages);
    show("after exec", RUSAGE_SELF);
    show("children after exec", RUSAGE_CHILDREN);
    return 0;
  }
  phases_begin();
  show("children at first", RUSAGE_CHILDREN);

  pid_t pid = fork();
  if (pid == 0) {
    nap();
    raw3(kSysGetrusage, RUSAGE_SELF, (long)usage, 0);
    put_line("a child begins with", usage[8]);
    show("its children", RUSAGE_CHILDREN);
    touch(100);
    pid = fork();
    if (pid == 0) {
      nap();
      touch(1000);
      _exit(0);
    }
    wait_for(pid);
    put_line("grandchild", wait_usage[8]);
    show("its children now", RUSAGE_CHILDREN);
    _exit(0);
  }
  wait_for(pid);
  put_line("child with grandchild", wait_usage[8]);
  show("children", RUSAGE_CHILDREN);

  /* At the exit nothing, at the wait all. */
  pid = fork();
  if (pid == 0) {
    touch(50);
    _exit(0);
  }
  const long long_enough[2] = {0, 50000000};
  raw3(kSysNanosleep, (long)long_enough, 0, 0);
  show("children before the wait", RUSAGE_CHILDREN);
  static siginfo_t info;
  static long waitid_usage[18];
  raw6(SYS_waitid, P_PID, pid, (long)&info, WEXITED | WNOWAIT, (long)waitid_usage, 0);
  put_line("waitid without reaping", waitid_usage[8]);
  show("children still", RUSAGE_CHILDREN);
  raw6(SYS_waitid, P_PID, pid, (long)&info, WEXITED, (long)waitid_usage, 0);
  put_line("waitid", waitid_usage[8]);
  show("children after the wait", RUSAGE_CHILDREN);

  /* exec resets nothing. */
  pid = fork();
  if (pid == 0) {
    nap();
    touch(200);
    pid = fork();
    if (pid == 0) {
      nap();
      _exit(0);
    }
    wait_for(pid);
    char* const again[] = {argv[0], "again", 0};
    execve(argv[0], again, (char* const[]){"A=1", 0});
    _exit(127);
  }
  wait_for(pid);
  put_line("child that execs", wait_usage[8]);

  /* A killed child counts like any other. */
  pid = fork();
  if (pid == 0) {
    touch(30);
    raise(SIGKILL);
  }
  wait_for(pid);
  put_line("killed child", wait_usage[8]);

  /* Nobody waits: SIGCHLD is ignored. */
  signal(SIGCHLD, SIG_IGN);
  show("children", RUSAGE_CHILDREN);
  pid = fork();
  if (pid == 0) {
    nap();
    touch(40);
    _exit(0);
  }
  int status;
  put_line("wait answers", raw6(kSysWait4, pid, (long)&status, 0, (long)wait_usage, 0, 0));
  show("children after an ignored one", RUSAGE_CHILDREN);
  return 0;
}
