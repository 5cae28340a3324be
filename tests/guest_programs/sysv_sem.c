/* System V semaphores: what the calls answer, all or nothing, who is woken in which order, timeouts, signals, removal,
 * SEM_UNDO at exit and shared with CLONE_SYSVSEM. Who waits has told so (GETNCNT, GETZCNT) before the next line. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include "support/sysv.h"

enum { kGetPid = 11, kGetVal, kGetAll, kGetNcnt, kGetZcnt, kSetVal, kSetAll, kSemStat, kSemInfo, kStatAny };
enum { kUndo = 0x1000 };

struct op {
  unsigned short num;
  short change, flags;
};
struct semid64 {
  struct perm64 perm;
  unsigned otime, otime_high, ctime, ctime_high, nsems, unused[2];
};
struct semid_old {
  struct perm_old perm;
  unsigned otime, ctime, pointers[4];
  unsigned short nsems, pad;
};

static int id;
static long ctl(int num, int cmd, unsigned long arg) { return CALL(kSemctl, id, num, cmd, arg); }
static long value(int num) { return ctl(num, kGetVal, 0); }
static long ops(const struct op* list, unsigned count) { return CALL(kIpc, kIpcSemop, id, count, 0, list, 0); }
#define OPS(...) ops((const struct op[]){__VA_ARGS__}, sizeof((const struct op[]){__VA_ARGS__}) / sizeof(struct op))
static long timed(struct op one, long ns) {
  const int time[2] = {0, (int)ns};
  return CALL(kIpc, kIpcSemtimedop, id, 1, 0, &one, time);
}
static void values(const char* what) {
  unsigned short all[8] = {0};
  ctl(0, kGetAll, (unsigned long)all);
  say("  %s: %u %u %u %u", what, all[0], all[1], all[2], all[3]);
}
static void fresh(int count) {
  id = (int)CALL(kSemget, 0, count, 0600);
  if (id < 0) say("no set: %s", name_of(id));
}
static void gone(void) { ctl(0, kRmid, 0); }
static void until(int num, int cmd, long count) {
  while (ctl(num, cmd, 0) != count) pause_ms(1);
}

static void getting(void) {
  say("getting");
  say("  none %s, negative %s, many %s", name_of(CALL(kSemget, 0, 0, 0600)), name_of(CALL(kSemget, 0, -1, 0600)),
      name_of(CALL(kSemget, 0, 32001, 0600)));
  say("  no key %s", name_of(CALL(kSemget, 0x55, 1, 0)));
  id = (int)CALL(kSemget, 0x55, 4, kCreate | 0640);
  say("  made %d, again %d, of none %d", id >= 0, CALL(kSemget, 0x55, 4, 0) == id, CALL(kSemget, 0x55, 0, 0600) == id);
  say("  more %s, exclusive %s, rights %s", name_of(CALL(kSemget, 0x55, 5, 0)),
      name_of(CALL(kSemget, 0x55, 1, kCreate | kExclusive)), name_of(CALL(kSemget, 0x55, 1, 06)));
  say("  by ipc %d", CALL(kIpc, kIpcSemget, 0x55, 1, 0, 0) == id);
}

static void operating(void) {
  struct op many[501];
  memset(many, 0, sizeof many);
  say("operating");
  say("  none %s, many %s, most %s", name_of(ops(many, 0)), name_of(ops(many, 501)), name_of(ops(many, 500)));
  say("  no set %s %s, no number %s, nowhere %s", name_of(CALL(kIpc, kIpcSemop, -1, 1, 0, many, 0)),
      name_of(CALL(kIpc, kIpcSemop, id + 77, 1, 0, many, 0)), name_of(OPS({4, 1, 0})), name_of(ops((struct op*)16, 1)));
  say("  up %s", name_of(OPS({0, 3, 0}, {1, 2, 0})));
  values("now");
  say("  pid %d %d", ctl(0, kGetPid, 0) == getpid(), ctl(2, kGetPid, 0) == 0);
  say("  some not %s", name_of(OPS({0, -1, 0}, {1, -1, 0}, {2, -1, kNoWait})));
  values("as before");
  say("  zero of one %s", name_of(OPS({0, 0, kNoWait})));
  say("  one three times %s", name_of(OPS({0, -3, kNoWait}, {0, 0, kNoWait}, {0, 1, 0})));
  values("now");
  say("  too much %s", name_of(OPS({1, 1, 0}, {0, 32767, 0})));
  say("  most %s", name_of(OPS({0, 32766, 0})));
  say("  one more %s", name_of(OPS({0, 1, 0})));
  values("now");
  say("  late %s", name_of(timed((struct op){2, -1, 0}, 2000000)));
  say("  no time %s %s", name_of(timed((struct op){2, -1, 0}, 1000000000)), name_of(timed((struct op){2, 1, 0}, -1)));
  const long long time64[2] = {0, 2000000}, bad64[2] = {-1, 0};
  const struct op down = {2, -1, 0};
  say("  time64 %s %s", name_of(CALL(kSemtimedop64, id, &down, 1, time64)), name_of(CALL(kSemtimedop64, id, &down, 1, bad64)));
  say("  time nowhere %s, before %s", name_of(CALL(kSemtimedop64, id, &down, 1, 16)),
      name_of(CALL(kSemtimedop64, id, 16, 9999, 16)));
  say("  undo: of no set %s", name_of(CALL(kSemtimedop64, id + 77, &(const struct op){0, 1, kUndo}, 1, 0)));
  say("  undo: too much %s", name_of(OPS({3, 32767, kUndo}, {3, -32767, 0}, {3, 32767, kUndo})));
  values("now");
  say("  set values %s %s %s", name_of(ctl(0, kSetVal, 32768)), name_of(ctl(0, kSetVal, (unsigned long)-1)),
      name_of(ctl(4, kSetVal, 1)));
  const unsigned short all[4] = {1, 2, 3, 4}, bad[4] = {1, 2, 3, 40000};
  say("  set all %s", name_of(ctl(0, kSetAll, (unsigned long)bad)));
  say("  set all %s, nowhere %s", name_of(ctl(9, kSetAll, (unsigned long)all)), name_of(ctl(0, kSetAll, 16)));
  values("now");
  say("  get: number %s %s, nowhere %s", name_of(ctl(4, kGetVal, 0)), name_of(ctl(-1, kGetPid, 0)), name_of(ctl(0, kGetAll, 16)));
}

static void controlling(void) {
  struct semid64 s;
  struct semid_old old;
  int info[10];
  unsigned long arg = (unsigned long)&s;
  say("controlling");
  memset(&s, 0x5a, sizeof s);
  const long stat = ctl(0, kStat, arg);
  say("  stat %s: key %x mode %o nsems %u otime %d ctime %d high %u %u rest %x %x", name_of(stat), s.perm.key, s.perm.mode,
      s.nsems, s.otime != 0, s.ctime != 0, s.otime_high, s.ctime_high, s.unused[0], s.unused[1]);
  say("  negative %s, unknown %s, nowhere %s %s", name_of(CALL(kSemctl, -1, 0, kStat, &s)), name_of(ctl(0, 99, 0)),
      name_of(ctl(0, kStat, 16)), name_of(ctl(0, kSet, 16)));
  s.perm.mode = 0400;
  say("  set %s", name_of(ctl(0, kSet, arg)));
  say("  change %s, look %s", name_of(OPS({0, 1, 0})), name_of(OPS({0, 0, kNoWait})));
  say("  set value %s %s, all %s, get %ld", name_of(ctl(0, kSetVal, 1)), name_of(ctl(4, kSetVal, 1)),
      name_of(ctl(0, kSetAll, 16)), value(0));
  s.perm.mode = 0200;
  ctl(0, kSet, arg);
  say("  unreadable: stat %s, get %s, zero %s", name_of(ctl(0, kStat, arg)), name_of(ctl(0, kGetVal, 0)),
      name_of(OPS({0, 0, kNoWait})));
  say("  by place %s, any %d", name_of(CALL(kSemctl, id & 0x7fff, 0, kSemStat, &s)),
      CALL(kSemctl, id & 0x7fff, 0, kStatAny, &s) == id);
  s.perm.mode = 0600;
  ctl(0, kSet, arg);
  arg = (unsigned long)&old;
  memset(&old, 0x5a, sizeof old);
  const long old_stat = CALL(kIpc, kIpcSemctl, id, 0, kStat, &arg);
  say("  old %s: key %x mode %o nsems %u rest %x", name_of(old_stat), old.perm.key, old.perm.mode, old.nsems,
      old.pointers[0] | old.pointers[1] | old.pointers[2] | old.pointers[3]);
  arg = (unsigned long)info;
  const long got = CALL(kIpc, kIpcSemctl, 0, 0, kInfo, &arg);
  say("  info %d: %d %d %d %d %d %d %d %d %d %d", got >= 0, info[0], info[1], info[2], info[3], info[4], info[5], info[6],
      info[7], info[8], info[9]);
  say("  ipc: no argument %s, nowhere %s", name_of(CALL(kIpc, kIpcSemctl, id, 0, kStat, 0)),
      name_of(CALL(kIpc, kIpcSemctl, id, 0, kStat, 16)));
  say("  removed %s", name_of(ctl(0, kRmid, 0)));
  say("  again %s, then %s", name_of(ctl(0, kRmid, 0)), name_of(OPS({0, 1, 0})));
}

/* A child that waits with these operations; its parent says what came of it. */
static pid_t waiter(const char* name, const struct op* list, unsigned count) {
  const pid_t child = fork();
  if (child == 0) _exit((int)-ops(list, count));
  name_waiter(child, name);
  return child;
}
#define WAITER(name, ...) \
  waiter(name, (const struct op[]){__VA_ARGS__}, sizeof((const struct op[]){__VA_ARGS__}) / sizeof(struct op))
static long waiting(int cmd) { return ctl(0, cmd, 0) + ctl(1, cmd, 0) + ctl(2, cmd, 0); }
static void until_waiting(int cmd, long count) {
  while (waiting(cmd) != count) pause_ms(1);
}
static void see(const char* what) {
  say("  %s: %ld %ld %ld, waiting %ld, for zero %ld", what, value(0), value(1), value(2), waiting(kGetNcnt),
      waiting(kGetZcnt));
}

static void waking(void) {
  pid_t a, b, c, d;
  say("waking");
  fresh(3);
  a = WAITER("a takes 2", {0, -2, 0});
  until_waiting(kGetNcnt, 1);
  b = WAITER("b takes 1", {0, -1, 0});
  until_waiting(kGetNcnt, 2);
  c = WAITER("c takes 1", {0, -1, 0});
  until_waiting(kGetNcnt, 3);
  OPS({0, 1, 0});
  waited(b);
  see("one more");
  OPS({0, 1, 0});
  waited(c);
  see("one more");
  OPS({0, 2, 0});
  waited(a);
  see("two more");
  /* Several operations: they count where they block, and wait in the order of arrival with all others. */
  a = WAITER("a takes both", {0, -1, 0}, {1, -1, 0});
  until_waiting(kGetNcnt, 1);
  b = WAITER("b takes 1", {0, -1, 0});
  until_waiting(kGetNcnt, 2);
  say("  blocked at %ld %ld", ctl(0, kGetNcnt, 0), ctl(1, kGetNcnt, 0));
  OPS({0, 1, 0});
  waited(b);
  see("one of the first");
  OPS({0, 1, 0}, {1, 1, 0});
  waited(a);
  see("one of each");
  /* For zero, and what follows from it. */
  ctl(0, kSetVal, 2);
  a = WAITER("a waits for zero", {0, 0, 0});
  until_waiting(kGetZcnt, 1);
  b = WAITER("b waits for zero and adds", {0, 0, 0}, {1, 5, 0});
  until_waiting(kGetZcnt, 2);
  c = WAITER("c takes 5", {1, -5, 0});
  until_waiting(kGetNcnt, 1);
  OPS({0, -1, 0});
  see("one less");
  OPS({0, -1, 0}, {2, 1, 0}, {2, -1, 0});
  waited(a);
  waited(b);
  waited(c);
  see("zero");
  /* Set by hand, by all values. */
  a = WAITER("a takes 7", {1, -7, 0});
  until_waiting(kGetNcnt, 1);
  ctl(1, kSetVal, 7);
  waited(a);
  a = WAITER("a takes 9", {2, -9, 0});
  until_waiting(kGetNcnt, 1);
  const unsigned short all[3] = {0, 0, 10};
  ctl(0, kSetAll, (unsigned long)all);
  waited(a);
  see("set");
  /* Out of range when it could go on; removal. */
  ctl(0, kSetVal, 1);
  a = WAITER("a wants too much", {0, 0, 0}, {1, 32767, 0}, {1, 1, 0});
  until_waiting(kGetZcnt, 1);
  OPS({0, -1, 0});
  waited(a);
  see("as before");
  a = WAITER("a takes 1", {0, -1, 0});
  until_waiting(kGetNcnt, 1);
  b = WAITER("b takes both", {0, -1, 0}, {1, -1, 0});
  until_waiting(kGetNcnt, 2);
  d = WAITER("d waits for zero", {2, 0, 0});
  until_waiting(kGetZcnt, 1);
  kill(a, SIGKILL);
  int status;
  waitpid(a, &status, 0);
  say("  killed: %ld wait", waiting(kGetNcnt));
  kill(b, SIGKILL);
  waitpid(b, &status, 0);
  a = WAITER("a takes 1", {0, -1, 0});
  until_waiting(kGetNcnt, 1);
  gone();
  waited(a);
  waited(d);
}

static void on_signal(int n) { (void)n; }
static void interrupting(void) {
  say("interrupting");
  fresh(3);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  pid_t child = WAITER("takes 1", {0, -1, 0});
  until_waiting(kGetNcnt, 1);
  kill(child, SIGUSR1);
  waited(child);
  say("  waiting %ld", waiting(kGetNcnt));
  child = fork();
  if (child == 0) {
    _exit((int)-timed((struct op){0, -1, 0}, 999999999));
  }
  name_waiter(child, "timed");
  until_waiting(kGetNcnt, 1);
  OPS({0, 1, 0});
  waited(child);
  gone();
}

static int share(void* p) {
  (void)p;
  OPS({0, 2, kUndo});
  return 0;
}
static void undoing(void) {
  static char stack[65536];
  say("undoing");
  fresh(4);
  pid_t child = fork();
  if (child == 0) {
    OPS({0, 3, kUndo}, {1, 1, 0});
    OPS({0, -1, kUndo}, {2, 5, kUndo});
    OPS({2, -5, 0});
    values("child");
    _exit(0);
  }
  ends(child);
  values("undone");
  say("  pids %d %d", ctl(0, kGetPid, 0) == child, ctl(2, kGetPid, 0) == child);
  /* Setting a value forgets what was to be undone. */
  child = fork();
  if (child == 0) {
    OPS({0, 3, kUndo}, {3, 1, kUndo});
    ctl(0, kSetVal, 8);
    _exit(0);
  }
  ends(child);
  values("set");
  /* Waiting for what an end gives back. */
  ctl(0, kSetVal, 1);
  child = fork();
  if (child == 0) {
    OPS({0, -1, kUndo});
    until_waiting(kGetNcnt, 1);
    _exit(0);
  }
  until(0, kGetVal, 0);
  say("  given back %s", name_of(OPS({0, -1, 0})));
  ends(child);
  /* An exec keeps it, a fork does not take it along, an end of a set forgets it. */
  child = fork();
  if (child == 0) {
    OPS({1, 1, kUndo});
    const pid_t grandchild = fork();
    if (grandchild == 0) _exit(0);
    ends(grandchild);
    values("after a grandchild");
    char number[16];
    snprintf(number, sizeof number, "%d", id);
    char* argv[] = {"sysv_sem", number, NULL};
    execv("/proc/self/exe", argv);
    _exit(1);
  }
  ends(child);
  values("after an exec");
  /* Shared with a task that ends earlier: undone with the last. */
  child = fork();
  if (child == 0) {
    OPS({0, 1, kUndo});
    const pid_t other = clone(share, stack + sizeof stack, CLONE_VM | CLONE_SYSVSEM | SIGCHLD, NULL);
    ends(other);
    values("sharer gone");
    syscall(SYS_unshare, CLONE_SYSVSEM);
    values("unshared");
    OPS({0, 1, kUndo});
    _exit(0);
  }
  ends(child);
  values("all gone");
  child = fork();
  if (child == 0) {
    OPS({0, 1, kUndo});
    gone();
    fresh(4);
    values("another set");
    gone();
    _exit(0);
  }
  ends(child);
}

int main(int argc, char** argv) {
  if (argc > 1) {
    id = atoi(argv[1]);
    values("executed");
    return 0;
  }
  be_nobody();
  getting();
  operating();
  controlling();
  waking();
  interrupting();
  undoing();
  return 0;
}
