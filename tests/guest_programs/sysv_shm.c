/* System V shared memory: what the calls answer, the attach count through everything that changes areas, removal, both
 * versions of the structures, limits. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "support/sysv.h"

enum { kPage = 4096, kReadOnly = 010000, kRound = 020000, kRemap = 040000, kExec = 0100000, kHuge = 04000,
       kNoReserve = 010000, kLock = 11, kUnlock, kShmStat, kShmInfo, kStatAny };

struct shmid64 {
  struct perm64 perm;
  unsigned size, atime, atime_high, dtime, dtime_high, ctime, ctime_high;
  int cpid, lpid;
  unsigned nattch, unused[2];
};
struct shmid_old {
  struct perm_old perm;
  int size;
  unsigned atime, dtime, ctime;
  unsigned short cpid, lpid, nattch, unused;
  unsigned unused2, unused3;
};

static int id;
static struct shmid64 stat_of(int which) {
  struct shmid64 s;
  memset(&s, 0x5a, sizeof s);
  const long r = CALL(kShmctl, which, kStat, &s);
  if (r != 0) say("  stat: %s", name_of(r));
  return s;
}
static unsigned attached(void) { return stat_of(id).nattch; }
static long get(int key, unsigned size, int flags) { return CALL(kShmget, key, size, flags); }
static long at(int which, void* where, int flags) {
  const long r = syscall(kShmat, which, where, flags);
  return r == -1 ? -errno : r; /* an address may look negative */
}
static int bad(long r) { return r < 0 && r > -4096; }
static const char* where(long r, char* wanted) { return bad(r) ? name_of(r) : (char*)r == wanted ? "there" : "elsewhere"; }
static char* room(unsigned pages) {
  return mmap(0, pages * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static void getting(void) {
  say("getting");
  say("  size 0 %s", name_of(get(0, 0, 0600)));
  say("  no such key %s", name_of(get(0x1234, kPage, 0600)));
  id = (int)get(0x1234, kPage + 1, kCreate | 0640);
  say("  made %s, again %d, exclusive %s", id >= 0 ? "ok" : name_of(id), get(0x1234, 0, 0) == id,
      name_of(get(0x1234, kPage, kCreate | kExclusive | 0600)));
  say("  larger %s, other size %d, private %d", name_of(get(0x1234, 2 * kPage + 1, 0)), get(0x1234, 7, 0600) == id,
      get(0, kPage, 0600) != id);
  say("  rights: read %s, all %s, others %s", name_of(get(0x1234, 1, 0400)), name_of(get(0x1234, 1, 0700)),
      name_of(get(0x1234, 1, 07)));
  say("  huge pages %s, of no size %s", name_of(get(0, kPage, kHuge | 0600)), name_of(get(0, kPage, kHuge | 13 << 26)));
  const long big = get(0, 64 << 20, kNoReserve | 0600);
  say("  not reserved %s", big >= 0 ? "ok" : name_of(big));
  say("  removed %s", name_of(CALL(kShmctl, big, kRmid, 0)));
  const struct shmid64 s = stat_of(id);
  say("  key %x mode %o size %u nattch %u owner %d creator %d atime %u dtime %u ctime %d high %u cpid %d lpid %d",
      s.perm.key, s.perm.mode, s.size, s.nattch, s.perm.uid == getuid() && s.perm.gid == getgid(),
      s.perm.cuid == getuid() && s.perm.cgid == getgid(), s.atime, s.dtime, s.ctime != 0,
      s.atime_high + s.dtime_high + s.ctime_high, s.cpid == getpid(), s.lpid);
}

static void attaching(void) {
  char* p = room(16);
  munmap(p, 16 * kPage);
  say("attaching");
  say("  no id %s %s", name_of(at(-1, p, 0)), name_of(at(id + 1000, p, 0)));
  say("  unaligned %s", name_of(at(id, p + 5, 0)));
  say("  rounded %s", where(at(id, p + 5, kRound), p));
  say("  over it %s, half over it %s", name_of(at(id, p, 0)), name_of(at(id, p - kPage, 0)));
  say("  remap %s", where(at(id, p, kRemap), p));
  say("  remap nowhere %s, rounded to nothing %s %s", name_of(at(id, 0, kRemap)), name_of(at(id, (void*)5, kRound)),
      name_of(at(id, (void*)5, kRound | kRemap)));
  say("  outside %s", name_of(at(id, (void*)0xffffe000, kRemap)));
  say("  nattch %u", attached());
  strcpy(p, "hello");
  char* q = (char*)at(id, 0, kReadOnly);
  say("  elsewhere it says %s, nattch %u, atime %d", q, attached(), stat_of(id).atime != 0);
  say("  read-only: writable later %s", OUTCOME(mprotect(q, kPage, PROT_READ | PROT_WRITE)));
  say("  from a file into it %ld", CALL(SYS_read, open("/proc/self/exe", O_RDONLY), q, 4));
  say("  execute without right %s", name_of(at(id, 0, kExec)));
  say("  detach inside %s, unaligned %s, nothing %s", name_of(CALL(kShmdt, q + kPage)), name_of(CALL(kShmdt, q + 1)),
      name_of(CALL(kShmdt, p + 8 * kPage)));
  say("  detach %s", name_of(CALL(kShmdt, q)));
  say("  nattch %u", attached());
  say("  detach %s", name_of(CALL(kShmdt, p)));
  say("  again %s, nattch %u", name_of(CALL(kShmdt, p)), attached());
  say("  dtime %d lpid %d", stat_of(id).dtime != 0, stat_of(id).lpid == getpid());
  p = (char*)at(id, 0, 0);
  say("  still %s, second page %d", p, p[kPage]);
  CALL(kShmdt, p);
}

/* nattch is the number of areas. */
static void counting(void) {
  const int rw = PROT_READ | PROT_WRITE;
  id = (int)get(0, 16 * kPage, 0700);
  say("counting");
  char* base = room(64);
  char* p = (char*)at(id, base, kRemap);
  say("  attached %u", attached());
  mprotect(p + 4 * kPage, 4 * kPage, PROT_READ);
  say("  split by mprotect %u", attached());
  mprotect(p + 4 * kPage, 4 * kPage, rw);
  say("  and back %u", attached());
  munmap(p + 10 * kPage, 2 * kPage);
  say("  hole %u", attached());
  madvise(p, 2 * kPage, MADV_DONTFORK);
  say("  advice %u", attached());
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    say("  in a child %u, by its parent %d", attached(), stat_of(id).lpid == getppid());
    munmap(p + 4 * kPage, 4 * kPage);
    say("  after its munmap %u, by it %d", attached(), stat_of(id).lpid == getpid());
    _exit(0);
  }
  ends(child);
  say("  child gone %u, by it %d", attached(), stat_of(id).lpid == child);
  p = mremap(p, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, base + 40 * kPage);
  say("  moved %u", attached());
  munmap(base + 42 * kPage, 4 * kPage);
  p = mremap(p, 2 * kPage, 3 * kPage, 0);
  say("  grown %d, %u", p == base + 40 * kPage, attached());
  char* q = mremap(p, 0, 4 * kPage, MREMAP_MAYMOVE);
  say("  doubled %d, %u", q != MAP_FAILED, attached());
  q[kPage] = 9;
  say("  the same %d", p[kPage]);
  p = base + 2 * kPage;
  say("  detach where it began %s", name_of(CALL(kShmdt, base)));
  say("  left %u", attached());
  say("  detach the moved %s", name_of(CALL(kShmdt, base + 40 * kPage)));
  say("  left %u", attached());
  say("  detach the double %s", name_of(CALL(kShmdt, q)));
  say("  left %u", attached());
  p = (char*)at(id, base, kRemap);
  char* stranger = (char*)at(id, base + 20 * kPage, kRemap);
  mremap(stranger + 8 * kPage, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, base + 8 * kPage);
  say("  another's page between %u", attached());
  say("  detach %s", name_of(CALL(kShmdt, base)));
  say("  left %u", attached());
  munmap(base, 64 * kPage);
  say("  munmap %u", attached());
  at(id, base, kRemap);
  mmap(base + kPage, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  say("  mapped over %u", attached());
  child = fork();
  if (child == 0) {
    char* argv[] = {"sysv_shm", "count", NULL};
    char number[16];
    snprintf(number, sizeof number, "%d", id);
    argv[1] = number;
    execv("/proc/self/exe", argv);
    _exit(1);
  }
  ends(child);
  child = vfork();
  if (child == 0) {
    syscall(kShmdt, base);
    _exit(0);
  }
  ends(child);
  say("  a vfork child detached %u", attached());
  CALL(kShmctl, id, kRmid, 0);
}

static void removing(void) {
  say("removing");
  id = (int)get(0x77, 3 * kPage, kCreate | 0600);
  char* p = (char*)at(id, 0, 0);
  strcpy(p, "lives");
  say("  with an attachment %s", name_of(CALL(kShmctl, id, kRmid, 0)));
  const struct shmid64 s = stat_of(id);
  say("  key %x mode %o, found %s", s.perm.key, s.perm.mode, name_of(get(0x77, kPage, 0)));
  say("  attached again %s, %s", bad(at(id, p + 64 * kPage, 0)) ? "no" : "yes", p);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    say("  child sees %s, nattch %u", p, attached());
    _exit(0);
  }
  ends(child);
  say("  removed twice %s", name_of(CALL(kShmctl, id, kRmid, 0)));
  CALL(kShmdt, p + 64 * kPage);
  say("  nattch %u, %s", attached(), p);
  CALL(kShmdt, p);
  struct shmid64 gone;
  say("  after the last %s, attach %s", name_of(CALL(kShmctl, id, kStat, &gone)), name_of(at(id, 0, 0)));
  /* Attached over the last of it: the segment goes with the area that was replaced, not before. */
  id = (int)get(0, kPage, 0600);
  p = (char*)at(id, 0, 0);
  p[0] = 'x';
  CALL(kShmctl, id, kRmid, 0);
  say("  over itself %s", where(at(id, p, kRemap), p));
  say("  holds %c, nattch %u", p[0], attached());
  CALL(kShmdt, p);
  say("  then %s", name_of(CALL(kShmctl, id, kStat, &gone)));
}

static void controlling(void) {
  struct shmid64 s;
  struct shmid_old old;
  unsigned info[9];
  say("controlling");
  id = (int)get(0x88, 5 * kPage, kCreate | 0600);
  s = stat_of(id);
  say("  negative %s %s, unknown %s", name_of(CALL(kShmctl, -1, kStat, &s)), name_of(CALL(kShmctl, id, -1, &s)),
      name_of(CALL(kShmctl, id, 77, &s)));
  say("  nowhere %s %s", name_of(CALL(kShmctl, id, kStat, 16)), name_of(CALL(kShmctl, id, kSet, 16)));
  s.perm.mode = 07440;
  s.perm.gid = 4243;
  say("  set %s", name_of(CALL(kShmctl, id, kSet, &s)));
  s = stat_of(id);
  say("  mode %o gid %u cgid %d", s.perm.mode, s.perm.gid, s.perm.cgid == getgid());
  say("  write now %s", name_of(at(id, 0, 0)));
  say("  read %s", bad(at(id, 0, kReadOnly)) ? "no" : "yes");
  s.perm.uid = ~0u;
  say("  no user %s", name_of(CALL(kShmctl, id, kSet, &s)));
  s.perm.uid = 4244;
  s.perm.mode = 0;
  say("  given away %s", name_of(CALL(kShmctl, id, kSet, &s)));
  say("  the creator: read %s", name_of(CALL(kShmctl, id, kStat, &s)));
  say("  any %d", CALL(kShmctl, id & 0x7fff, kStatAny, &s) == id);
  say("  of user %u, rights %o", s.perm.uid, s.perm.mode);
  s.perm.uid = getuid();
  s.perm.mode = 0600;
  say("  taken back %s", name_of(CALL(kShmctl, id, kSet, &s)));
  say("  seen by place %d", CALL(kShmctl, id & 0x7fff, kShmStat, &s) == id);
  const struct rlimit limit = {4 * kPage, 4 * kPage};
  setrlimit(RLIMIT_MEMLOCK, &limit);
  say("  lock too much %s", name_of(CALL(kShmctl, id, kLock, 0)));
  const int small = (int)get(0, 4 * kPage, 0600);
  say("  lock %s", name_of(CALL(kShmctl, small, kLock, 0)));
  say("  again %s, mode %o", name_of(CALL(kShmctl, small, kLock, 0)), stat_of(small).perm.mode);
  say("  unlock %s", name_of(CALL(kShmctl, small, kUnlock, 0)));
  say("  again %s, mode %o", name_of(CALL(kShmctl, small, kUnlock, 0)), stat_of(small).perm.mode);
  const struct rlimit none = {0, 0};
  setrlimit(RLIMIT_MEMLOCK, &none);
  say("  without a limit %s", name_of(CALL(kShmctl, small, kLock, 0)));
  const long ipc_limits = CALL(kIpc, kIpcShmctl, 0, kInfo | k64, 0, info);
  say("  ipc limits %d: max %d min %u mni %u seg %u all %x", ipc_limits >= 0, info[0] >= 0x7fffffff, info[1], info[2], info[3], info[4]);
  const long old_limits = CALL(kIpc, kIpcShmctl, 0, kInfo, 0, info);
  say("  old limits %d: max %d min %u mni %u seg %u all %x", old_limits >= 0, info[0] >= 0x7fffffff, info[1], info[2], info[3], info[4]);
  memset(&old, 0x5a, sizeof old);
  memset(&s, 0x5a, sizeof s);
  const long old_stat = CALL(kIpc, kIpcShmctl, id, kStat, 0, &old);
  say("  old %s: key %x uid %d mode %o seq %d size %d nattch %u cpid %d lpid %d",
      name_of(old_stat), old.perm.key, old.perm.uid == (unsigned short)getuid(),
      old.perm.mode, old.perm.seq == id >> 15, old.size, old.nattch, old.cpid == (unsigned short)getpid(),
      old.lpid == (unsigned short)getpid());
  say("  rest %x %x %x", old.unused, old.unused2, old.unused3);
  const long new_stat = CALL(kIpc, kIpcShmctl, id, kStat | k64, 0, &s);
  say("  new %s: seq %d pads %x %x %x %x", name_of(new_stat), s.perm.seq == id >> 15, s.perm.pad1 | s.perm.pad2, s.perm.unused[0] | s.perm.unused[1], s.unused[0], s.unused[1]);
  old.perm.mode = 0642;
  say("  old set %s", name_of(CALL(kIpc, kIpcShmctl, id, kSet, 0, &old)));
  say("  mode %o; direct with the bit %s", stat_of(id).perm.mode, name_of(CALL(kShmctl, id, kStat | k64, &s)));
  long address = 0;
  say("  by ipc: attach %s, iBCS2 %s, nowhere %s", name_of(CALL(kIpc, kIpcShmat, id, 0, &address, 0)),
      name_of(CALL(kIpc, 1 << 16 | kIpcShmat, id, 0, &address, 0)), name_of(CALL(kIpc, kIpcShmat, id, 0, 16, 0)));
  say("  detach %s, get %d, unknown %s %s", name_of(CALL(kIpc, kIpcShmdt, 0, 0, 0, address)),
      CALL(kIpc, kIpcShmget, 0x88, 1, 0, 0) == id, name_of(CALL(kIpc, 99, 0, 0, 0, 0)), name_of(CALL(kIpc, 0, 0, 0, 0, 0)));
  CALL(kShmctl, small, kRmid, 0);
  CALL(kShmctl, id, kRmid, 0);
}

static void show_line(const char* path, const char* part) {
  static char text[20000];
  const int fd = open(path, O_RDONLY);
  const long length = read(fd, text, sizeof text - 1);
  close(fd);
  text[length > 0 ? length : 0] = 0;
  for (char* line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    char* found = strstr(line, part);
    if (found) say("  %.20s|%s", strstr(path, "maps") ? strchr(line, ' ') + 1 : line, strstr(path, "maps") ? found : "");
  }
}

static void showing(void) {
  say("showing");
  id = (int)get(0xabc, kPage, kCreate | 0600);
  at(id, 0, 0);
  at(id, 0, kReadOnly);
  show_line("/proc/self/maps", "/SYSV");
  CALL(kShmctl, id, kRmid, 0);
  at(id, 0, 0);
  show_line("/proc/self/maps", "/SYSV");
  show_line("/proc/sys/kernel/shmmni", "");
  say("  shmmni to write %s", OUTCOME(open("/proc/sys/kernel/shmmni", O_WRONLY)));
}

int main(int argc, char** argv) {
  if (argc > 1) {
    id = atoi(argv[1]);
    say("  an exec later %u", attached());
    return 0;
  }
  be_nobody();
  getting();
  attaching();
  counting();
  removing();
  controlling();
  showing();
  return 0;
}
