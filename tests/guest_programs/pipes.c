/* Pipes between processes: blocking, capacity, partial writes, atomic writes, SIGPIPE and EPIPE, end of file, what poll
 * and select say, fifos, descriptors that survive a fork, and two processes that play ping-pong. Argument: a folder. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <time.h>

#include "support/say.h"

static char block[200000];

static void nap(long ms) {
  struct timespec t = {0, ms * 1000000};
  while (nanosleep(&t, &t) == -1 && errno == EINTR) {}
}

static const char* events(int fd, short wanted) {
  static char texts[4][48];
  static int next;
  char* text = texts[next++ & 3];
  struct pollfd poll_fd = {fd, wanted, 0};
  const int ready = poll(&poll_fd, 1, 0);
  snprintf(text, 48, "%d%s%s%s%s%s", ready, poll_fd.revents & POLLIN ? " IN" : "", poll_fd.revents & POLLOUT ? " OUT" : "",
           poll_fd.revents & POLLHUP ? " HUP" : "", poll_fd.revents & POLLERR ? " ERR" : "",
           poll_fd.revents & POLLNVAL ? " NVAL" : "");
  return text;
}

static void capacity(void) {
  int fds[2];
  MUST(pipe2(fds, O_NONBLOCK) == 0);
  say("empty: read %s; poll reader %s, writer %s", OUTCOME(read(fds[0], block, 1)), events(fds[0], POLLIN),
      events(fds[1], POLLOUT));
  int total = 0, got;
  while ((got = (int)write(fds[1], block, 4096)) > 0) total += got;
  say("filled with pages: %d, then %s; poll reader %s, writer %s", total, error_name(errno), events(fds[0], POLLIN),
      events(fds[1], POLLOUT));
  int available = 0;
  MUST(ioctl(fds[0], FIONREAD, &available) == 0);
  say("FIONREAD %d, F_GETPIPE_SZ %d", available, fcntl(fds[0], F_GETPIPE_SZ));
  MUST(read(fds[0], block, 100) == 100);
  say("100 taken: writer %s", events(fds[1], POLLOUT));
  say("  write of 100: %s", OUTCOME(write(fds[1], block, 100)));
  MUST(read(fds[0], block, 3996) == 3996);
  say("a page free: writer %s", events(fds[1], POLLOUT));
  say("  5000 bytes: %d", (int)write(fds[1], block, 5000));
  /* Up to PIPE_BUF a write is done whole or not at all. */
  MUST(read(fds[0], block, 4096) == 4096);
  say("4096 free, two pages: %d", (int)write(fds[1], block, 8192));
  while (read(fds[0], block, sizeof block) > 0) {}
  say("drained: %s", events(fds[0], POLLIN));
  total = 0;
  while ((got = (int)write(fds[1], block, 1)) > 0) total += got;
  say("single bytes: %d", total);
  close(fds[0]);
  signal(SIGPIPE, SIG_IGN);
  say("no reader: writer %s, write %s", events(fds[1], POLLOUT), OUTCOME(write(fds[1], block, 1)));
  signal(SIGPIPE, SIG_DFL);
  close(fds[1]);
  MUST(pipe(fds) == 0 && write(fds[1], "xyz", 3) == 3);
  close(fds[1]);
  say("no writer, data: %s", events(fds[0], POLLIN));
  say("read %d", (int)read(fds[0], block, 10));
  say("no writer, empty: %s", events(fds[0], POLLIN));
  say("read %d", (int)read(fds[0], block, 10));
  close(fds[0]);
  say("closed: %s", events(fds[0], POLLIN));
}

static void blocking(void) {
  int fds[2];
  MUST(pipe(fds) == 0);
  const struct gate gate = new_gate();
  pid_t child = must_fork();
  if (child == 0) {
    close(fds[0]);
    for (int i = 0; i < 3; ++i) {
      MUST(write(fds[1], "message", 7) == 7);
      wait_for(gate);
    }
    _exit(0);
  }
  close(fds[1]);
  int reads = 0, bytes = 0, got;
  while ((got = (int)read(fds[0], block, sizeof block)) > 0) ++reads, bytes += got, tell(gate);
  say("three messages, each awaited: %d reads, %d bytes, end %d", reads, bytes, got);
  must_wait(child);
  close(fds[0]);
  drop_gate(gate);
  /* A writer of much more than fits; the sum shows that nothing is lost or doubled. */
  MUST(pipe(fds) == 0);
  child = must_fork();
  if (child == 0) {
    close(fds[0]);
    for (unsigned i = 0; i < sizeof block; ++i) block[i] = (char)(i * 7 + i / 251);
    for (int i = 0; i < 2; ++i) MUST(write(fds[1], block, sizeof block) == sizeof block);
    _exit(0);
  }
  close(fds[1]);
  unsigned sum = 0, count = 0;
  static unsigned char small[777];
  while ((got = (int)read(fds[0], small, sizeof small)) > 0)
    for (int i = 0; i < got; ++i) sum = sum * 31 + small[i], ++count;
  say("much more than fits: %u, sum %08x", count, sum);
  must_wait(child);
  close(fds[0]);
  /* Writers with pieces of PIPE_BUF: none is torn. */
  MUST(pipe(fds) == 0);
  for (int w = 0; w < 4; ++w)
    if (must_fork() == 0) {
      memset(block, 'a' + w, PIPE_BUF);
      for (int i = 0; i < 20; ++i) MUST(write(fds[1], block, PIPE_BUF) == PIPE_BUF);
      _exit(0);
    }
  close(fds[1]);
  int torn = 0, pieces = 0;
  for (;;) {
    int have = 0;
    while (have < PIPE_BUF && (got = (int)read(fds[0], block + have, PIPE_BUF - have)) > 0) have += got;
    if (have == 0) break;
    ++pieces;
    for (int i = 1; i < have; ++i) torn += block[i] != block[0];
  }
  say("four writers: %d pieces, %d torn", pieces, torn);
  while (wait(NULL) > 0) {}
  close(fds[0]);
}

static void broken(void) {
  for (int how = 0; how < 3; ++how) {
    int fds[2], gate[2];
    char byte;
    MUST(pipe(fds) == 0 && pipe(gate) == 0);
    const pid_t child = must_fork();
    if (child == 0) {
      close(fds[0]);
      close(gate[1]);
      if (how == 1) signal(SIGPIPE, SIG_IGN);
      if (how != 0) MUST(read(gate[0], &byte, 1) == 0); /* the reader has left */
      const ssize_t got = how == 0 ? write(fds[1], block, sizeof block) : write(fds[1], "x", 1);
      say("write %s", got == -1 ? error_name(errno) : "done");
      _exit(3);
    }
    if (how == 0) {
      close(fds[1]);
      MUST(read(fds[0], block, 1000) == 1000); /* the writer is asleep in a full pipe when the reader goes */
    }
    close(fds[0]);
    close(fds[1]);
    close(gate[0]);
    close(gate[1]);
    say("%s: %s", how == 0 ? "reader leaves" : how == 1 ? "SIGPIPE ignored" : "late write", status_text(must_wait(child)));
  }
}

static void polling(void) {
  int fds[2], other[2];
  MUST(pipe(fds) == 0 && pipe(other) == 0);
  const struct gate gate = new_gate();
  const pid_t child = must_fork();
  if (child == 0) {
    close(fds[0]), close(other[0]);
    MUST(write(other[1], "b", 1) == 1);
    wait_for(gate); /* until each event has been seen */
    MUST(write(fds[1], "a", 1) == 1);
    wait_for(gate);
    close(other[1]);
    wait_for(gate);
    _exit(0);
  }
  close(fds[1]), close(other[1]);
  int open_ends = 2;
  while (open_ends > 0) {
    struct pollfd polls[3] = {{fds[0], POLLIN, 0}, {-1, POLLIN, 0}, {other[0], POLLIN, 0}};
    const int ready = poll(polls, 3, 5000);
    char byte;
    for (int i = 0; i < 3; i += 2) {
      if (!polls[i].revents) continue;
      const int fd = polls[i].fd, got = (int)read(fd, &byte, 1);
      say("poll: %d ready, %s%s%s, read %d", ready, i ? "other" : "first", polls[i].revents & POLLIN ? " IN" : "",
          polls[i].revents & POLLHUP ? " HUP" : "", got);
      tell(gate);
      if (got == 0) {
        close(fd);
        if (i == 0) fds[0] = -1;
        else other[0] = -1;
        --open_ends;
      }
    }
  }
  must_wait(child);
  drop_gate(gate);
  MUST(pipe(fds) == 0);
  const pid_t writer = must_fork();
  if (writer == 0) {
    nap(20);
    MUST(write(fds[1], "c", 1) == 1);
    _exit(0);
  }
  fd_set reads, writes;
  FD_ZERO(&reads);
  FD_ZERO(&writes);
  FD_SET(fds[0], &reads);
  struct timeval limit = {5, 0};
  int ready = select(fds[1] + 1, &reads, NULL, NULL, &limit);
  say("select: %d, reader %d", ready, FD_ISSET(fds[0], &reads) != 0);
  FD_SET(fds[0], &reads), FD_SET(fds[1], &writes);
  ready = select(fds[1] + 1, &reads, &writes, NULL, NULL);
  say("both: %d, reader %d, writer %d", ready, FD_ISSET(fds[0], &reads) != 0, FD_ISSET(fds[1], &writes) != 0);
  MUST(read(fds[0], block, 1) == 1);
  FD_ZERO(&reads);
  FD_SET(fds[0], &reads);
  limit = (struct timeval){0, 20000};
  ready = select(fds[1] + 1, &reads, NULL, NULL, &limit);
  say("time is up: %d, reader %d", ready, FD_ISSET(fds[0], &reads) != 0);
  must_wait(writer);
  FD_ZERO(&reads);
  FD_SET(30, &reads); /* below what the smallest descriptor table holds: what lies beyond the table, select does not see */
  say("select of a closed one: %s", OUTCOME(select(31, &reads, NULL, NULL, NULL)));
  close(fds[0]), close(fds[1]);
}

static void fifos(void) {
  MUST(mkfifo("fifo", 0600) == 0);
  struct stat info;
  MUST(stat("fifo", &info) == 0);
  say("mkfifo: %s, again %s", S_ISFIFO(info.st_mode) ? "a fifo" : "something", OUTCOME(mkfifo("fifo", 0600)));
  say("no reader, O_NONBLOCK: %s", open("fifo", O_WRONLY | O_NONBLOCK) == -1 && errno == 6 ? "ENXIO" : "other");
  const pid_t child = must_fork();
  if (child == 0) {
    nap(20);
    const int fd = open("fifo", O_WRONLY);
    MUST(fd >= 0 && write(fd, "through the fifo", 16) == 16);
    nap(20);
    _exit(0);
  }
  int fd = open("fifo", O_RDONLY); /* waits for the writer */
  MUST(fd >= 0);
  const int got = (int)read(fd, block, 100);
  say("fifo: %d bytes, then %d", got, (int)read(fd, block, 100));
  must_wait(child);
  close(fd);
  fd = open("fifo", O_RDONLY | O_NONBLOCK);
  say("no writer, O_NONBLOCK: %s, read %d", fd >= 0 ? "ok" : error_name(errno), (int)read(fd, block, 1));
  close(fd);
  unlink("fifo");
}

static void ping_pong(void) {
  int there[2], back[2];
  MUST(pipe(there) == 0 && pipe(back) == 0);
  const pid_t child = must_fork();
  if (child == 0) {
    close(there[1]), close(back[0]);
    unsigned value;
    while (read(there[0], &value, sizeof value) == sizeof value) {
      value = value * 1664525 + 1013904223;
      MUST(write(back[1], &value, sizeof value) == sizeof value);
    }
    _exit(0);
  }
  close(there[0]), close(back[1]);
  unsigned value = 1;
  for (int i = 0; i < 500; ++i)
    MUST(write(there[1], &value, sizeof value) == sizeof value && read(back[0], &value, sizeof value) == sizeof value);
  close(there[1]);
  say("500 rounds: %08x, child %s", value, status_text(must_wait(child)));
  close(back[0]);
}

static void shared_offset(void) {
  const int fd = open("shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
  MUST(fd >= 0);
  const pid_t child = must_fork();
  if (child == 0) {
    MUST(write(fd, "child", 5) == 5);
    _exit(0);
  }
  must_wait(child);
  MUST(write(fd, "parent", 6) == 6);
  say("one offset for both: %d", (int)lseek(fd, 0, SEEK_CUR));
  MUST(fcntl(fd, F_SETFL, O_APPEND) == 0);
  const pid_t other = must_fork();
  if (other == 0) _exit(fcntl(fd, F_GETFL) & O_APPEND ? 1 : 0);
  say("and one set of flags: %s", status_text(must_wait(other)));
  close(fd);
  unlink("shared");
}

int main(void) {
  char folder[] = "/tmp/faultline.XXXXXX";
  MUST(mkdtemp(folder) != NULL && chdir(folder) == 0);
  capacity();
  blocking();
  broken();
  polling();
  fifos();
  ping_pong();
  shared_offset();
  MUST(chdir("/") == 0 && rmdir(folder) == 0);
  return 0;
}
