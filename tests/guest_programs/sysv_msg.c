/* System V message queues: what the calls answer, types and their choices, waiting senders and receivers, copies, removal,
 * limits, both versions of the structures. Who waits sleeps before the next line. */
#define _GNU_SOURCE
#include <fcntl.h>
#include "support/sysv.h"

enum { kNoError = 010000, kExcept = 020000, kCopy = 040000, kMsgStat = 11, kMsgInfo, kStatAny };

struct msqid64 {
  struct perm64 perm;
  unsigned stime, stime_high, rtime, rtime_high, ctime, ctime_high, cbytes, qnum, qbytes;
  int lspid, lrpid;
  unsigned unused[2];
};
struct msqid_old {
  struct perm_old perm;
  unsigned first, last, stime, rtime, ctime, lcbytes, lqbytes;
  unsigned short cbytes, qnum, qbytes, lspid, lrpid, pad;
};
struct message {
  int type;
  char text[9000];
};

static int id;
static struct message buffer;
static long send(int type, const char* text, int flags) {
  struct message m = {.type = type};
  strcpy(m.text, text);
  return CALL(kMsgsnd, id, &m, strlen(text), flags);
}
static long send_bytes(int type, unsigned bytes, int flags) {
  static struct message m;
  m.type = type;
  memset(m.text, 'x', sizeof m.text);
  return CALL(kMsgsnd, id, &m, bytes, flags);
}
static long receive(int type, unsigned room, int flags) {
  memset(&buffer, 0, sizeof buffer);
  return CALL(kMsgrcv, id, &buffer, room, type, flags);
}
static void show(const char* what, int type, unsigned room, int flags) {
  const long r = receive(type, room, flags);
  if (r < 0) {
    say("  %s: %s", what, name_of(r));
  } else {
    say("  %s: %ld of type %d %s", what, r, buffer.type, buffer.text);
  }
}
static struct msqid64 stat_of(void) {
  struct msqid64 s;
  memset(&s, 0x5a, sizeof s);
  const long r = CALL(kMsgctl, id, kStat, &s);
  if (r != 0) say("  stat: %s", name_of(r));
  return s;
}
static void state(void) {
  const struct msqid64 s = stat_of();
  say("  holds %u in %u of %u", s.cbytes, s.qnum, s.qbytes);
}
static void fresh(void) { id = (int)CALL(kMsgget, 0, 0600); }
static long gone(void) { return CALL(kMsgctl, id, kRmid, 0); }
static long set(int mode, unsigned qbytes) {
  struct msqid64 s = {.perm = {.uid = getuid(), .gid = getgid(), .mode = (unsigned short)mode}, .qbytes = qbytes};
  return CALL(kMsgctl, id, kSet, &s);
}

static void getting(void) {
  say("getting");
  say("  no key %s", name_of(CALL(kMsgget, 0x66, 0)));
  id = (int)CALL(kMsgget, 0x66, kCreate | 0620);
  say("  made %d, again %d, exclusive %s, rights %s", id >= 0, CALL(kMsgget, 0x66, 0600) == id,
      name_of(CALL(kMsgget, 0x66, kCreate | kExclusive | 0600)), name_of(CALL(kMsgget, 0x66, 0777)));
  const struct msqid64 s = stat_of();
  say("  key %x mode %o stime %u rtime %u ctime %d bytes %u count %u most %u pids %d %d rest %x %x", s.perm.key, s.perm.mode,
      s.stime, s.rtime, s.ctime != 0, s.cbytes, s.qnum, s.qbytes, s.lspid, s.lrpid, s.unused[0], s.unused[1]);
}

static void sending(void) {
  say("sending");
  say("  type 0 %s, negative %s, size %s %s", name_of(send(0, "a", 0)), name_of(send(-1, "a", 0)),
      name_of(send_bytes(1, 8193, 0)), name_of(CALL(kMsgsnd, id, &buffer, -1, 0)));
  say("  no queue %s %s, nowhere %s", name_of(CALL(kMsgsnd, -1, &(const struct message){.type = 1}, 1, 0)),
      name_of(CALL(kMsgsnd, id + 99, &(const struct message){.type = 1}, 1, 0)), name_of(CALL(kMsgsnd, id, 16, 1, 0)));
  say("  one %s", name_of(send(3, "three", 0)));
  say("  two %s", name_of(send(1, "one", 0)));
  say("  three %s", name_of(send(2, "two", 0)));
  say("  four %s", name_of(send(1, "uno", 0)));
  say("  empty %s", name_of(send(9, "", 0)));
  state();
  const struct msqid64 s = stat_of();
  say("  pids %d %d times %d %d", s.lspid == getpid(), s.lrpid, s.stime != 0, s.rtime != 0);
  show("copy 0", 0, 100, kCopy | kNoWait);
  show("copy 3", 3, 100, kCopy | kNoWait);
  show("copy 5", 5, 100, kCopy | kNoWait);
  show("copy and wait", 0, 100, kCopy);
  show("copy but", 0, 100, kCopy | kExcept | kNoWait);
  show("copy small", 0, 3, kCopy | kNoWait);
  show("copy cut", 0, 3, kCopy | kNoWait | kNoError);
  show("small", 0, 4, 0);
  show("none of that type", 7, 100, kNoWait);
  show("any", 0, 100, 0);
  show("lowest up to 2", -2, 100, 0);
  show("not 1", 1, 100, kExcept);
  show("negative size", 0, (unsigned)-1, 0);
  show("lowest of all", (int)0x80000000, 100, 0);
  show("empty", 9, 0, 0);
  show("nothing", 0, 100, kNoWait);
  state();
  send(4, "long text", 0);
  show("cut", 4, 4, kNoError);
  show("gone", 4, 100, kNoWait);
  send(4, "lost", 0);
  say("  nowhere %s", name_of(CALL(kMsgrcv, id, 16, 10, 0, 0)));
  show("gone too", 4, 100, kNoWait);
  say("  no queue %s %s", name_of(CALL(kMsgrcv, -1, &buffer, 10, 0, 0)), name_of(CALL(kMsgrcv, id + 99, &buffer, 10, 0, 0)));
  const struct msqid64 t = stat_of();
  say("  receiver %d, time %d", t.lrpid == getpid(), t.rtime != 0);
}

static void filling(void) {
  say("filling");
  say("  large %s", name_of(send_bytes(1, 8192, 0)));
  say("  large %s", name_of(send_bytes(1, 8192, 0)));
  say("  one more %s, empty %s", name_of(send_bytes(1, 1, kNoWait)), name_of(send_bytes(1, 0, 0)));
  state();
  say("  text %d", receive(1, 9000, 0) == 8192 && buffer.text[0] == 'x' && buffer.text[8191] == 'x' && buffer.text[8192] == 0);
  say("  more than may be %s, less %s", name_of(set(0600, 16385)), name_of(set(0600, 4)));
  say("  full %s", name_of(send_bytes(1, 0, kNoWait)));
  receive(1, 9000, 0);
  receive(1, 9000, 0);
  for (int i = 0; i < 4; ++i) send_bytes(1, 0, kNoWait);
  say("  empty ones count too %s", name_of(send_bytes(1, 0, kNoWait)));
  state();
  set(0200, 16384);
  say("  unreadable %s, written %s, stat %s", name_of(receive(0, 10, kNoWait)), name_of(send_bytes(1, 1, 0)),
      name_of(CALL(kMsgctl, id, kStat, &buffer)));
  say("  any %d", CALL(kMsgctl, id & 0x7fff, kStatAny, &buffer) == id);
  say("  removed %s", name_of(gone()));
  say("  again %s", name_of(gone()));
}

static pid_t receiver(const char* name, int type, unsigned room, int flags) {
  const pid_t child = fork();
  if (child == 0) {
    const long r = receive(type, room, flags);
    if (r >= 0) say("    %s: %ld of type %d %s", name, r, buffer.type, buffer.text);
    _exit(r < 0 ? (int)-r : 0);
  }
  name_waiter(child, name);
  until_asleep(child);
  return child;
}
static pid_t sender(const char* name, int type, unsigned bytes) {
  const pid_t child = fork();
  if (child == 0) _exit((int)-send_bytes(type, bytes, 0));
  name_waiter(child, name);
  until_asleep(child);
  return child;
}
static void on_signal(int n) { (void)n; }

static void waiting(void) {
  pid_t a, b, c;
  say("waiting");
  fresh();
  a = receiver("a wants 5", 5, 100, 0);
  b = receiver("b wants up to 3", -3, 100, 0);
  c = receiver("c wants any", 0, 2, 0);
  say("  6 bytes for c %s", name_of(send(7, "for c?", 0)));
  waited(c);
  state();
  show("c's", 0, 100, kNoWait);
  send(2, "for b", 0);
  waited(b);
  send(5, "for a", 0);
  waited(a);
  state();
  a = receiver("a but 5", 5, 100, kExcept);
  b = receiver("b cuts", 5, 3, kNoError);
  send(5, "long", 0);
  waited(b);
  send(4, "four", 0);
  waited(a);
  const struct msqid64 s = stat_of();
  say("  last receiver %d", s.lrpid == a);
  /* Senders: whose message fits goes first. */
  set(0600, 100);
  send_bytes(1, 60, 0);
  send_bytes(9, 30, 0);
  a = sender("a sends 50", 2, 50);
  b = sender("b sends 20", 3, 20);
  say("  the second %ld", receive(9, 1000, 0));
  waited(b);
  state();
  say("  the first %ld", receive(1, 1000, 0));
  waited(a);
  state();
  receive(2, 1000, 0);
  receive(3, 1000, 0);
  send_bytes(1, 90, 0);
  a = sender("a sends 50", 2, 50);
  set(0600, 200);
  waited(a);
  receive(1, 1000, 0);
  receive(2, 1000, 0);
  state();
  /* Rights taken away, signals, removal. */
  a = receiver("a may not read", 0, 10, 0);
  set(0200, 200);
  waited(a);
  set(0600, 100);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  a = receiver("a hears a signal", 0, 10, 0);
  kill(a, SIGUSR1);
  waited(a);
  send_bytes(1, 90, 0);
  a = sender("a hears a signal", 1, 50);
  kill(a, SIGUSR1);
  waited(a);
  a = sender("a is killed", 1, 50);
  kill(a, SIGKILL);
  waited(a);
  a = sender("a sends", 1, 50);
  b = receiver("b receives", 9, 50, 0);
  gone();
  waited(a);
  waited(b);
  /* Stopped and continued it goes on waiting. */
  fresh();
  a = receiver("a was stopped", 0, 10, 0);
  int status;
  kill(a, SIGSTOP);
  waitpid(a, &status, WUNTRACED);
  kill(a, SIGCONT);
  waitpid(a, &status, WCONTINUED);
  until_asleep(a);
  send(1, "still", 0);
  waited(a);
  gone();
}

static void controlling(void) {
  struct msqid64 s;
  struct msqid_old old;
  unsigned info[8];
  say("controlling");
  fresh();
  send(1, "text", 0);
  say("  negative %s %s, unknown %s, nowhere %s %s", name_of(CALL(kMsgctl, -1, kStat, &s)), name_of(CALL(kMsgctl, id, -1, &s)),
      name_of(CALL(kMsgctl, id, 99, &s)), name_of(CALL(kMsgctl, id, kStat, 16)), name_of(CALL(kMsgctl, id, kSet, 16)));
  memset(&old, 0x5a, sizeof old);
  const long old_stat = CALL(kIpc, kIpcMsgctl, id, kStat, 0, &old);
  say("  old %s: mode %o bytes %u count %u most %u pids %d %d pointers %x %x", name_of(old_stat), old.perm.mode, old.cbytes,
      old.qnum, old.qbytes, old.lspid == (unsigned short)getpid(), old.lrpid, old.first, old.last);
  old.qbytes = 99;
  old.perm.mode = 0660;
  say("  old set %s", name_of(CALL(kIpc, kIpcMsgctl, id, kSet, 0, &old)));
  s = stat_of();
  say("  mode %o most %u", s.perm.mode, s.qbytes);
  memset(info, 0x5a, sizeof info);
  const long got = CALL(kMsgctl, 0, kInfo, info);
  say("  info %d: %u %u %u %u %u %u %u %x", got >= 0, info[0], info[1], info[2], info[3], info[4], info[5], info[6], info[7]);
  say("  by place %d", CALL(kMsgctl, id & 0x7fff, kMsgStat, &s) == id);
  struct {
    void* buffer;
    int type;
  } kludge = {&buffer, 0};
  memset(&buffer, 0, sizeof buffer);
  say("  ipc: receive %ld", CALL(kIpc, kIpcMsgrcv, id, 100, kNoWait, &kludge, 0));
  say("  %s of %d", buffer.text, buffer.type);
  say("  send %s", name_of(CALL(kIpc, kIpcMsgsnd, id, 4, 0, &buffer)));
  say("  receive %ld", CALL(kIpc, 1 << 16 | kIpcMsgrcv, id, 100, kNoWait, &buffer, 1));
  say("  no place %s, nowhere %s", name_of(CALL(kIpc, kIpcMsgrcv, id, 100, kNoWait, 0, 0)),
      name_of(CALL(kIpc, kIpcMsgrcv, id, 100, kNoWait, 16, 0)));
  say("  get %s, removed %s", name_of(CALL(kIpc, kIpcMsgget, 0x7777, 0, 0, 0)), name_of(CALL(kIpc, kIpcMsgctl, id, kRmid, 0, 0)));
}

int main(void) {
  be_nobody();
  getting();
  sending();
  filling();
  waiting();
  controlling();
  return 0;
}
