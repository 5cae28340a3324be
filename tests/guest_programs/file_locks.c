/* Two processes and the locks between them: record locks that wait, a circle of waiters, flock, locks of open files;
 * and a FIFO whose two ends are opened by different processes. Every step is told by one process at a time.
 *   file_locks DIRECTORY */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int to_child[2], to_parent[2];

static void tell(int fd) {
  if (write(fd, "x", 1) != 1) abort();
}
static void hear(int fd) {
  char byte;
  if (read(fd, &byte, 1) != 1) abort();
}
static void say(const char* what, int result) {
  printf("%s: %s%d\n", what, result < 0 ? "error " : "", result < 0 ? errno : result);
  fflush(stdout);
}
static int record(int fd, int command, int type, int start, int length) {
  struct flock lock = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  return fcntl(fd, command, &lock);
}
static void pause_a_little(void) { usleep(20000); }

static void child(const char* name, const char* fifo) {
  int fd = open(name, O_RDWR);
  hear(to_child[0]);
  say("child: try what the parent has", record(fd, F_SETLK, F_WRLCK, 0, 10));
  struct flock seen = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1};
  fcntl(fd, F_GETLK, &seen);
  printf("child: in the way: type %d, %d+%d, the parent's: %d\n", seen.l_type, (int)seen.l_start, (int)seen.l_len,
         seen.l_pid == getppid());
  fflush(stdout);
  tell(to_parent[1]);
  say("child: waited for it", record(fd, F_SETLKW, F_WRLCK, 0, 10)); /* the parent unlocks, or closes */
  tell(to_parent[1]);
  hear(to_child[0]);
  record(fd, F_SETLK, F_UNLCK, 0, 0);
  /* A circle: the child has 0, the parent 1; the child waits for 1, the parent asks for 0. */
  say("child: 0", record(fd, F_SETLK, F_WRLCK, 0, 1));
  tell(to_parent[1]);
  hear(to_child[0]);
  say("child: waited for 1", record(fd, F_SETLKW, F_WRLCK, 1, 1));
  record(fd, F_SETLK, F_UNLCK, 0, 0);
  tell(to_parent[1]);
  hear(to_child[0]);
  say("child: flock of its own open", flock(fd, LOCK_EX | LOCK_NB));
  tell(to_parent[1]);
  say("child: waited for flock", flock(fd, LOCK_EX));
  tell(to_parent[1]);
  hear(to_child[0]);
  int end = open(fifo, O_RDONLY);
  char text[16] = "";
  ssize_t got = read(end, text, sizeof text - 1);
  printf("child: from the fifo: %d %s\n", (int)got, text);
  printf("child: then: %d\n", (int)read(end, text, sizeof text));
  fflush(stdout);
  exit(0);
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  char name[256], fifo[256];
  snprintf(name, sizeof name, "%s/locked", argv[1]);
  snprintf(fifo, sizeof fifo, "%s/fifo", argv[1]);
  mkdir(argv[1], 0755);
  int fd = open(name, O_RDWR | O_CREAT, 0644);
  say("fifo", mkfifo(fifo, 0600));
  if (fd < 0 || pipe(to_child) != 0 || pipe(to_parent) != 0) return 1;
  say("parent: lock", record(fd, F_SETLK, F_WRLCK, 0, 20));
  pid_t pid = fork();
  if (pid == 0) child(name, fifo);
  tell(to_child[1]);
  hear(to_parent[0]);
  pause_a_little();
  say("parent: unlock a part", record(fd, F_SETLK, F_UNLCK, 0, 5));
  pause_a_little();
  int other = open(name, O_RDONLY);
  int done = close(other); /* which gives up all that the process has */
  hear(to_parent[0]);
  say("parent: close another descriptor", done);
  say("parent: 0..9 is the child's now", record(fd, F_SETLK, F_RDLCK, 9, 1));
  say("parent: 10 is free", record(fd, F_SETLK, F_RDLCK, 10, 1));
  record(fd, F_SETLK, F_UNLCK, 0, 0);
  tell(to_child[1]);
  hear(to_parent[0]);
  say("parent: 1", record(fd, F_SETLK, F_WRLCK, 1, 1));
  tell(to_child[1]);
  pause_a_little();
  say("parent: 0 would be a circle", record(fd, F_SETLKW, F_WRLCK, 0, 1));
  done = record(fd, F_SETLK, F_UNLCK, 0, 0);
  hear(to_parent[0]);
  say("parent: unlock", done);
  say("parent: flock", flock(fd, LOCK_SH));
  tell(to_child[1]);
  hear(to_parent[0]);
  pause_a_little();
  done = flock(fd, LOCK_UN);
  hear(to_parent[0]);
  say("parent: unlock", done);
  say("parent: the child has it", flock(fd, LOCK_SH | LOCK_NB));
  tell(to_child[1]);
  int end = open(fifo, O_WRONLY);
  say("parent: write", (int)write(end, "hello", 5));
  close(end);
  int status;
  waitpid(pid, &status, 0);
  printf("status %d\n", status);
  say("parent: the child's went with it", flock(fd, LOCK_EX | LOCK_NB));
  say("parent: nobody reads the fifo", open(fifo, O_WRONLY | O_NONBLOCK));
  unlink(name);
  unlink(fifo);
  return 0;
}
