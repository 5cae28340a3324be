/* A process as /proc tells of it: threads, children, limits, descriptors, names, OOM scores. Process numbers and what a
 * kernel may or may not have are left out of the output. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/proc_text.h"

/* ---- threads ---- */

static pthread_barrier_t all_there, all_seen;
static int tids[3];
static void* thread_main(void* p) {
  const int i = (int)(intptr_t)p;
  char name[16];
  tids[i] = (int)syscall(SYS_gettid);
  snprintf(name, sizeof name, "thread %d", i);
  prctl(PR_SET_NAME, name);
  pthread_barrier_wait(&all_there);
  pthread_barrier_wait(&all_seen);
  return NULL;
}

static long status_field(const char* name) {
  char wanted[32];
  snprintf(wanted, sizeof wanted, "\n%s:\t", name);
  const char* at = strstr(text, wanted);
  return at ? strtol(at + strlen(wanted), NULL, 10) : -1;
}
/* Field `number` of stat, counted from 1. */
static long stat_field(int number) {
  const char* at = strrchr(text, ')') + 2;
  for (int i = 3; i < number; ++i) at = strchr(at, ' ') + 1;
  return strtol(at, NULL, 10);
}
static int entries(const char* path) {
  DIR* dir = opendir(path);
  int count = 0;
  if (!dir) return -errno;
  for (const struct dirent* e; (e = readdir(dir)) != NULL;) count += e->d_name[0] != '.';
  closedir(dir);
  return count;
}

static void threads(void) {
  static const char* const files[] = {
      "auxv",   "children",     "cmdline", "comm",   "cwd",       "environ",       "exe",     "fd",
      "fdinfo", "limits",       "maps",    "mounts", "oom_score", "oom_score_adj", "pagemap", "root",
      "smaps",  "smaps_rollup", "stat",    "statm",  "status",    "task"};
  pthread_t thread[3];
  struct stat st;
  char link[64] = "";
  const int pid = getpid();
  printf("threads\n");
  pthread_barrier_init(&all_there, NULL, 4);
  pthread_barrier_init(&all_seen, NULL, 4);
  for (intptr_t i = 0; i < 3; ++i) pthread_create(&thread[i], NULL, thread_main, (void*)i);
  pthread_barrier_wait(&all_there);
  printf("  task %d", entries("/proc/self/task"));
  stat("/proc/self/task", &st);
  printf(" links %d\n", (int)st.st_nlink);
  for (unsigned i = 0; i < sizeof files / sizeof *files; ++i) {
    const int process = lstat(task_path(pid, 0, files[i]), &st) == 0;
    const int mode = process ? (int)st.st_mode : 0;
    const int single = lstat(task_path(pid, tids[1], files[i]), &st) == 0;
    printf("  %s %d %o %d\n", files[i], process, single ? (int)st.st_mode : mode, single);
  }
  for (int i = 0; i < 3; ++i) {
    slurp(task_path(pid, tids[i], "comm"));
    printf("  comm %.*s", (int)strcspn(text, "\n"), text);
    slurp(task_path(pid, tids[i], "status"));
    printf(", status %d %d %ld", status_field("Pid") == tids[i], status_field("Tgid") == pid, status_field("Threads"));
    slurp(task_path(pid, tids[i], "stat"));
    printf(", stat %d %ld exit signal %ld\n", atoi(text) == tids[i], stat_field(20), stat_field(38));
  }
  slurp(task_path(pid, pid, "stat"));
  printf("  first %d exit signal %ld\n", atoi(text) == pid, stat_field(38));
  /* A thread that is not the first can be named, but is not listed. */
  printf("  by number %d", slurp(task_path(tids[2], 0, "status")) > 0 && status_field("Pid") == tids[2]);
  snprintf(link, sizeof link, "%d", tids[2]);
  DIR* dir = opendir("/proc");
  int listed = 0;
  for (const struct dirent* e; (e = readdir(dir)) != NULL;) listed += !strcmp(e->d_name, link);
  closedir(dir);
  printf(", listed %d", listed);
  printf(", of another %ld\n", result_of(stat(task_path(1, tids[2], "stat"), &st)));
  memset(link, 0, sizeof link);
  if (readlink("/proc/thread-self", link, sizeof link - 1) < 0) abort();
  snprintf(text, sizeof text, "%d/task/%d", pid, pid);
  printf("  thread-self %d\n", !strcmp(link, text));
  /* Names are written too: of the process's own threads. */
  int fd = open(task_path(pid, tids[0], "comm"), O_RDWR);
  printf("  write comm %ld", result_of(write(fd, "a rather long name", 18)));
  close(fd);
  slurp(task_path(pid, tids[0], "comm"));
  printf(" '%.*s'", (int)strcspn(text, "\n"), text);
  fd = open(task_path(pid, tids[0], "comm"), O_WRONLY);
  printf(" %ld", result_of(write(fd, "x\\\n", 3)));
  close(fd);
  printf(" %ld", slurp(task_path(pid, tids[0], "comm")));
  slurp(task_path(pid, tids[0], "status"));
  printf(" %.*s\n", (int)strcspn(text, "\n"), text);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    fd = open(task_path(pid, pid, "comm"), O_WRONLY);
    printf("  from outside %ld\n", result_of(write(fd, "no", 2)));
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  pthread_barrier_wait(&all_seen);
  for (int i = 0; i < 3; ++i) pthread_join(thread[i], NULL);
  for (int wait = 0; wait < 1000 && entries("/proc/self/task") != 1; ++wait) usleep(1000);
  printf("  afterwards %d, of one that ended %ld\n", entries("/proc/self/task"),
         result_of(stat(task_path(pid, tids[0], "stat"), &st)));
}

/* ---- children ---- */

static void children(void) {
  const int pid = getpid();
  int fds[2];
  char c, wanted[64];
  pid_t child[2];
  siginfo_t info;
  printf("children\n  none %ld\n", slurp(task_path(pid, pid, "children")));
  if (pipe(fds) != 0) abort();
  for (int i = 0; i < 2; ++i) {
    child[i] = fork();
    if (child[i] == 0) {
      close(fds[1]);
      _exit(read(fds[0], &c, 1) != 0);
    }
  }
  snprintf(wanted, sizeof wanted, "%d %d ", child[0], child[1]);
  slurp(task_path(pid, pid, "children"));
  printf("  two %d", !strcmp(text, wanted));
  printf(", theirs %ld\n", slurp(task_path(child[0], child[0], "children")));
  close(fds[0]);
  close(fds[1]);
  for (int i = 0; i < 2; ++i) waitid(P_PID, child[i], &info, WEXITED | WNOWAIT);
  slurp(task_path(pid, pid, "children"));
  printf("  ended %d\n", !strcmp(text, wanted));
  slurp(task_path(child[0], 0, "stat"));
  printf("  zombie %c threads %ld size %ld", strrchr(text, ')')[2], stat_field(20), stat_field(23));
  printf(", maps %ld", slurp(task_path(child[0], 0, "maps")));
  printf(", rollup %ld", slurp(task_path(child[0], 0, "smaps_rollup")));
  printf(", exe %ld", result_of(readlink(task_path(child[0], 0, "exe"), text, 100)));
  /* It belongs to user 0 now. */
  printf(", fd %d", entries(task_path(child[0], 0, "fd")) == (geteuid() == 0 ? 0 : -EACCES));
  printf(", limits %d\n", slurp(task_path(child[0], 0, "limits")) > 0);
  waitpid(child[0], NULL, 0);
  snprintf(wanted, sizeof wanted, "%d ", child[1]);
  slurp(task_path(pid, pid, "children"));
  printf("  one %d\n", !strcmp(text, wanted));
  waitpid(child[1], NULL, 0);
  printf("  none %ld\n", slurp(task_path(pid, pid, "children")));
}

/* ---- limits ---- */

static void limits(void) {
  static const char* const shown[] = {"Limit ",
                                      "Max cpu time",
                                      "Max file size",
                                      "Max stack size",
                                      "Max core file size",
                                      "Max open files",
                                      "Max address space",
                                      "Max file locks",
                                      "Max nice priority",
                                      "Max realtime priority",
                                      "Max realtime timeout"};
  const struct {
    int resource;
    struct rlimit limit;
  } set[] = {{RLIMIT_CPU, {1000, 2000}},
             {RLIMIT_FSIZE, {123456789, RLIM_INFINITY}},
             {RLIMIT_STACK, {8 << 20, 1 << 30}},
             {RLIMIT_CORE, {0, 0}},
             {RLIMIT_NOFILE, {100, 200}},
             {RLIMIT_AS, {RLIM_INFINITY, RLIM_INFINITY}},
             {RLIMIT_NICE, {0, 0}},
             {RLIMIT_RTPRIO, {0, 0}}};
  printf("limits\n");
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    for (unsigned i = 0; i < sizeof set / sizeof *set; ++i)
      if (setrlimit(set[i].resource, &set[i].limit) != 0) printf("  %d: %d\n", set[i].resource, errno);
    slurp("/proc/self/limits");
    int lines = 0;
    for (char* line = text; *line; line = strchr(line, '\n') + 1, ++lines)
      for (unsigned i = 0; i < sizeof shown / sizeof *shown; ++i)
        if (!strncmp(line, shown[i], strlen(shown[i]))) printf("%.*s|\n", (int)strcspn(line, "\n"), line);
    printf("  lines %d\n", lines);
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

/* ---- fdinfo ---- */

static void show_info(const char* name, int fd) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  const long length = slurp(path);
  printf(" %s", name);
  if (length < 0) printf(" %ld", length);
  for (char* line = text; *line; line = strchr(line, '\n') + 1) {
    const int end = (int)strcspn(line, "\n");
    if (!strncmp(line, "mnt_id:", 7) || !strncmp(line, "ino:", 4)) {
      printf(" | %.*s", (int)strcspn(line, "\t"), line);
    } else if (!strncmp(line, "eventfd-id", 10) || !strncmp(line, "eventfd-sem", 11) || !strncmp(line, "NSpid", 5)) {
      continue;
    } else if (!strncmp(line, "Pid:", 4)) {
      printf(" | Pid %s", atoi(line + 5) == getpid() ? "own" : line + 5);
    } else if (!strncmp(line, "tfd:", 4)) {
      printf(" | %.*s", (int)(strstr(line, " ino:") - line), line);
    } else {
      printf(" | %.*s", end, line);
    }
  }
  printf("\n");
}

static void fdinfo(void) {
  sigset_t signals;
  const struct itimerspec later = {{7, 500}, {100000, 0}};
  struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};
  int fds[2];
  char name[] = "/tmp/proc_files.XXXXXX";
  printf("fdinfo\n");
  const int event = eventfd(0x55, EFD_CLOEXEC), ep = epoll_create1(0), file = mkstemp(name);
  struct epoll_event wanted = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x123456789abcull};
  unlink(name);
  show_info("eventfd", event);
  show_info("empty epoll", ep);
  wanted.data.u64 = 0x123456789abcull;
  epoll_ctl(ep, EPOLL_CTL_ADD, event, &wanted);
  show_info("epoll", ep);
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigaddset(&signals, 40);
  show_info("signalfd", signalfd(-1, &signals, SFD_NONBLOCK));
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  show_info("timerfd", timer);
  timerfd_settime(timer, TFD_TIMER_ABSTIME, &(struct itimerspec){{0, 0}, {0, 1}}, NULL);
  show_info("in the past", timer);
  timerfd_settime(timer, 0, &later, NULL);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", timer);
  slurp(path);
  const char* value = strstr(text, "it_value: (");
  printf(" armed %d | %s", value && atoi(value + 11) <= 100000 && atoi(value + 11) > 99900,
         strstr(text, "it_interval"));
  show_info("pidfd", (int)syscall(SYS_pidfd_open, getpid(), 0));
  if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) abort();
  show_info("pipe", fds[0]);
  show_info("pipe", fds[1]);
  fcntl(fds[1], F_SETFD, 0);
  show_info("kept", fds[1]);
  if (write(file, text, 100) != 100 || lseek(file, 42, SEEK_SET) != 42) abort();
  fcntl(file, F_SETFL, O_APPEND);
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", file);
  slurp(path);
  printf(" position %.*s\n", (int)strcspn(text, "\n"), text);
  flock(file, LOCK_EX);
  slurp(path);
  const char* first_lock = strstr(text, "lock:");
  printf(" flock %d %d\n", first_lock != NULL, first_lock && strstr(first_lock, ": FLOCK  ADVISORY  WRITE ") != NULL);
  flock(file, LOCK_UN);
  fcntl(file, F_SETLK, &lock);
  slurp(path);
  first_lock = strstr(text, "lock:");
  printf(" record %d %s", first_lock && strstr(first_lock, ": POSIX  ADVISORY  READ ") != NULL,
         first_lock ? strstr(first_lock, " 10 ") : "none\n");
  close(file);
  struct stat st;
  printf(" closed %ld, mode %o\n", result_of(stat(path, &st)),
         stat("/proc/self/fdinfo/0", &st) == 0 ? (int)st.st_mode : 0);
  printf(" as many as descriptors %d\n", entries("/proc/self/fdinfo") == entries("/proc/self/fd"));
}

/* ---- oom_score_adj ---- */

static long write_to(const char* path, const char* what) {
  const int fd = open(path, O_WRONLY);
  const long r = fd < 0 ? -errno : result_of(write(fd, what, strlen(what)));
  close(fd);
  return r;
}
static void oom(void) {
  static const char* const values[] = {"100", " 0x12c\n", "1001", "-1001", "", "\n", "word", "7 8", "+200\n"};
  printf("oom_score_adj\n");
  for (unsigned i = 0; i < sizeof values / sizeof *values; ++i) {
    const long r = write_to("/proc/self/oom_score_adj", values[i]);
    slurp("/proc/self/oom_score_adj");
    printf("  %ld %s", r, text);
  }
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    slurp("/proc/self/oom_score_adj");
    printf("  child %s", text);
    slurp("/proc/self/oom_score");
    const long heavy = atol(text);
    write_to("/proc/self/oom_score_adj", "1000");
    slurp("/proc/self/oom_score");
    printf("  heavier %d, heaviest %d\n", heavy >= 790 && heavy < 900, atol(text) >= 1300);
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 15);
  threads();
  children();
  limits();
  fdinfo();
  oom();
  return 0;
}
