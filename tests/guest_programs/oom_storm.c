/* A storm of processes that take memory in every way until it is used up, and are killed wherever they are: anonymous,
 * shared, of files, locked, by threads, in pipes and sockets, as page tables; while they fork, vfork, exec, exit and
 * give memory back. Its first process cannot be chosen; it waits for all that came of it, checks its own data and tidies
 * what killed processes left (files of /tmp, segments of System V). Arguments: seed (1), processes at most (24). */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "support/say.h"

enum { kPage = 4096, kMostDepth = 5, kMine = 48 };

static unsigned state;
static unsigned next(unsigned below) {
  state = state * 1664525 + 1013904223;
  return (state >> 9) % below;
}

/* Shared by all. */
struct tally {
  unsigned forks, most;
};
static struct tally* tally;
/* The first process's data, which those that came by fork have too, until they write. */
static unsigned char* mine;

static int may_start(void) { return __sync_fetch_and_add(&tally->forks, 1) < tally->most; }

static void adjust_oom_score(int value) {
  char text[12];
  const int length = snprintf(text, sizeof text, "%d", value);
  const int fd = open("/proc/self/oom_score_adj", O_WRONLY);
  if (fd < 0) return;
  (void)!write(fd, text, (size_t)length);
  close(fd);
}

static void fill(unsigned char* at, size_t bytes, size_t step) {
  for (size_t i = 0; i < bytes; i += step) at[i] = (unsigned char)((i >> 12) | 1);
}
static unsigned char* take(size_t bytes, int flags) {
  unsigned char* at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, -1, 0);
  return at == MAP_FAILED ? NULL : at;
}
/* What it wrote must be there still: who is wrong says so, and is not forgotten. */
static void check(const unsigned char* at, size_t bytes) {
  for (size_t i = 0; i < bytes; i += kPage)
    if (at[i] != (unsigned char)((i >> 12) | 1)) {
      say("page %zu holds %u", i >> 12, at[i]);
      _exit(97);
    }
}
static size_t size(void) { return (size_t)(1 + next(400)) * kPage; }

static void take_private(void) {
  const size_t bytes = size();
  unsigned char* at = take(bytes, MAP_PRIVATE | MAP_ANONYMOUS | (next(8) == 0 ? MAP_POPULATE : 0));
  if (at == NULL) return;
  fill(at, bytes, kPage);
  if (next(3) == 0) check(at, bytes);
  switch (next(8)) {
    case 0: madvise(at, bytes, 21 /* MADV_PAGEOUT */); break;
    case 1: madvise(at, bytes / 2, 8 /* MADV_FREE */); break;
    case 2: munmap(at, bytes); break;
    case 3: mprotect(at + bytes / kPage / 2 * kPage, kPage, PROT_READ); break;
    case 4: (void)!mremap(at, bytes, bytes + 64 * kPage, MREMAP_MAYMOVE); break;
  }
}
static void take_locked(void) {
  const size_t bytes = size() / 2 + kPage;
  unsigned char* at = take(bytes, MAP_PRIVATE | MAP_ANONYMOUS);
  if (at == NULL) return;
  if (mlock(at, bytes) != 0) return;
  fill(at, bytes, kPage);
  if (next(2)) munlock(at, bytes);
}
static void take_shared(void) {
  const size_t bytes = size();
  unsigned char* at = take(bytes, MAP_SHARED | MAP_ANONYMOUS);
  if (at != NULL) fill(at, bytes, kPage);
}
static void take_segment(void) {
  const size_t bytes = size() / 2 + kPage;
  const int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
  if (id < 0) return;
  unsigned char* at = shmat(id, NULL, 0);
  shmctl(id, IPC_RMID, NULL);
  if (at != (void*)-1) fill(at, bytes, kPage);
}
static void take_tmpfs(void) {
  static unsigned char block[16 * kPage];
  char name[] = "/tmp/storm.XXXXXX";
  const int fd = mkstemp(name);
  if (fd < 0) return;
  unlink(name);
  for (unsigned n = next(16); n > 0; --n)
    if (write(fd, block, sizeof block) <= 0) break;
  if (next(2)) close(fd);
}
static void take_file(void) {
  const int fd = open("/proc/self/exe", O_RDONLY);
  if (fd < 0) return;
  const size_t bytes = (size_t)lseek(fd, 0, SEEK_END);
  unsigned char* at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  close(fd);
  if (at == MAP_FAILED) return;
  volatile unsigned char sum = 0;
  for (size_t i = 0; i < bytes; i += kPage) sum += at[i];
  if (next(4) != 0) fill(at, bytes, kPage);
}
static void take_tables(void) {
  const size_t spread = 4u << 20;
  const size_t bytes = (size_t)(8 + next(48)) * spread;
  unsigned char* at = take(bytes, MAP_PRIVATE | MAP_ANONYMOUS);
  if (at == NULL) return;
  if (next(2)) fill(at, bytes, spread);
  else
    for (size_t i = 0; i < bytes; i += spread) (void)*(volatile unsigned char*)(at + i);
}
static void take_pipes(void) {
  static char bytes[65536];
  for (unsigned n = 1 + next(6); n > 0; --n) {
    int fds[2];
    const int pair = next(3) == 0;
    if ((pair ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds)) != 0) return;
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    while (write(fds[1], bytes, 1 + next(sizeof bytes)) > 0) {}
  }
}
/* The parent may be killed while its memory is asked for; or be another program by now. */
static void look_at_parent(void) {
  const struct iovec there = {mine, kMine * kPage};
  const struct iovec here = {take(kMine * kPage, MAP_PRIVATE | MAP_ANONYMOUS), kMine * kPage};
  if (mine != NULL) (void)!process_vm_readv(getppid(), &here, 1, &there, 1, 0);
}
static void* thread(void* argument) {
  const size_t bytes = (size_t)argument;
  unsigned char* at = take(bytes, MAP_PRIVATE | MAP_ANONYMOUS);
  if (at != NULL) fill(at, bytes, kPage);
  for (int i = 0; i < 4; ++i) sched_yield();
  if (at != NULL) check(at, bytes);
  return NULL;
}
static void take_in_threads(void) {
  pthread_t threads[3];
  unsigned count = 0;
  while (count < 1 + next(3) && count < 3)
    if (pthread_create(&threads[count], NULL, thread, (void*)size()) == 0) ++count;
    else break;
  const unsigned end = next(4);
  for (unsigned i = 0; i < count && end != 0; ++i) pthread_join(threads[i], NULL);
  if (count == 0 && end == 1) sched_yield();
}

static void execute(unsigned depth) {
  char seed[12], level[12], most[12], shared[12];
  snprintf(seed, sizeof seed, "%u", next(1u << 22));
  snprintf(level, sizeof level, "%u", depth);
  snprintf(most, sizeof most, "%u", next(4));
  snprintf(shared, sizeof shared, "%u", next(2));
  char* const argv[] = {"oom_storm", seed, most, level, shared, NULL};
  char* const envp[] = {"E=1", NULL};
  execve("/proc/self/exe", argv, envp);
}

static void node(unsigned depth);

static void branch(unsigned depth) {
  if (depth >= kMostDepth || !may_start()) return;
  const unsigned seed = next(1u << 22);
  const pid_t pid = fork();
  if (pid == 0) {
    state = seed;
    node(depth + 1);
  }
}
static void lend(unsigned depth) {
  if (depth >= kMostDepth || !may_start()) return;
  const unsigned seed = next(1u << 22);
  const unsigned old = state;
  const pid_t pid = vfork();
  if (pid == 0) {
    /* In the parent's memory, which is locked up until the exec or the end. */
    state = seed;
    if (next(2)) take_private();
    if (next(2)) execute(depth + 1);
    _exit(3);
  }
  state = old + 1;
}

static void node(unsigned depth) {
  if (next(2)) adjust_oom_score((int)next(1500) - 499);
  for (int i = 0; i < 3 && depth < 2; ++i) branch(depth);
  for (unsigned steps = 4 + next(14); steps > 0; --steps) switch (next(19)) {
      case 0: case 1: case 2: take_private(); break;
      case 3: take_locked(); break;
      case 4: take_shared(); break;
      case 5: take_segment(); break;
      case 6: take_tmpfs(); break;
      case 7: take_file(); break;
      case 8: take_tables(); break;
      case 9: take_pipes(); break;
      case 10: take_in_threads(); break;
      case 11: case 12: case 13: branch(depth); break;
      case 14: lend(depth); break;
      case 15:
        if (next(3) == 0) execute(depth);
        break;
      case 16:
        if (next(2)) (void)!wait(NULL);
        else usleep(next(2000));
        break;
      case 17: look_at_parent(); break;
      case 18:
        if (next(4) == 0) mlockall(next(2) ? MCL_CURRENT : MCL_CURRENT | MCL_FUTURE);
        sched_yield();
        break;
    }
  if (next(2))
    while (wait(NULL) > 0) {}
  _exit((int)next(3));
}

static void tidy(void) {
  DIR* folder = opendir("/tmp");
  for (struct dirent* entry; folder != NULL && (entry = readdir(folder)) != NULL;)
    if (!strncmp(entry->d_name, "storm.", 6)) {
      char name[300];
      snprintf(name, sizeof name, "/tmp/%s", entry->d_name);
      unlink(name);
    }
  if (folder != NULL) closedir(folder);
  struct shm_info info;
  const int last = shmctl(0, SHM_INFO, (struct shmid_ds*)&info);
  for (int i = 0; i <= last; ++i) {
    struct shmid_ds segment;
    const int id = shmctl(i, SHM_STAT, &segment);
    if (id >= 0 && segment.shm_cpid > 0 && segment.shm_nattch == 0) shmctl(id, IPC_RMID, NULL);
  }
}

int main(int argc, char** argv) {
  state = argc > 1 ? (unsigned)atoi(argv[1]) * 2654435761u : 1;
  if (argc > 3) { /* one that executed itself: its own count of processes */
    tally = (struct tally*)take(kPage, (atoi(argv[4]) ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS);
    if (tally == NULL) return 1;
    tally->most = (unsigned)atoi(argv[2]);
    node((unsigned)atoi(argv[3]));
  }
  mine = take(kMine * kPage, MAP_PRIVATE | MAP_ANONYMOUS);
  tally = (struct tally*)take(kPage, MAP_SHARED | MAP_ANONYMOUS);
  MUST(mine != NULL && tally != NULL && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  tally->most = argc > 2 ? (unsigned)atoi(argv[2]) : 24;
  fill(mine, kMine * kPage, kPage);
  adjust_oom_score(-1000);
  const pid_t first = must_fork();
  if (first == 0) {
    adjust_oom_score(0);
    may_start();
    node(0);
  }
  unsigned ended = 0, killed = 0, wrong = 0;
  int status;
  while (wait(&status) > 0) {
    ++ended;
    const int was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    killed += was_killed;
    if (!was_killed && (!WIFEXITED(status) || WEXITSTATUS(status) > 3)) {
      say("wrong: %s", status_text(status));
      ++wrong;
    }
  }
  check(mine, kMine * kPage);
  tidy();
  say("the storm is over: %u came here, %u of them killed, %u wrong", ended, killed, wrong);
  return wrong != 0;
}
