/* AF_UNIX sockets: pairs, abstract names, connections, messages with descriptors and credentials, ends and limits. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "support/answers.h"

static struct sockaddr_un name_of(const char* text, socklen_t* length) {
  static char unique[32];
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  snprintf(unique, sizeof unique, "%s-%d", text, (int)getpid());
  memcpy(a.sun_path + 1, unique, strlen(unique));
  *length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(unique);
  return a;
}
static void pair(int type, int fds[2]) {
  if (socketpair(AF_UNIX, type, 0, fds) != 0) abort();
}

static void errors(void) {
  int fds[2];
  printf("errors\n");
  printf("  families %ld %ld %ld\n", result_of(socket(77, SOCK_STREAM, 0)), result_of(socket(-1, SOCK_STREAM, 0)), result_of(socket(AF_UNIX, 20, 0)));
  printf("  types %ld %ld %ld\n", result_of(socket(AF_UNIX, SOCK_RDM, 0)), result_of(socket(AF_UNIX, SOCK_STREAM, 5)),
         result_of(socket(AF_UNIX, SOCK_STREAM | 0x100, 0)));
  pair(SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, fds);
  printf("  flags %x %d\n", fcntl(fds[0], F_GETFL), fcntl(fds[0], F_GETFD));
  struct stat st;
  fstat(fds[0], &st);
  printf("  mode %o, seek %ld\n", st.st_mode, result_of(lseek(fds[0], 0, SEEK_SET)));
  int pipe_fds[2];
  if (pipe(pipe_fds) != 0) abort();
  printf("  no socket %ld %ld\n", result_of(send(pipe_fds[1], "x", 1, 0)), result_of(listen(999, 1)));
  printf("  empty %ld %ld\n", result_of(recv(fds[0], &st, 9, 0)), result_of(read(fds[0], &st, 9)));
  const int lone = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  socklen_t length = sizeof a;
  printf("  unconnected %ld %ld %ld %ld\n", result_of(send(lone, "x", 1, 0)), result_of(recv(lone, &st, 1, 0)),
         result_of(getpeername(lone, (struct sockaddr*)&a, &length)), result_of(accept(lone, NULL, NULL)));
  printf("  listen %ld, ready %x\n", result_of(listen(lone, 1)), ready(lone, POLLIN | POLLOUT));
  a = name_of("nobody", &length);
  printf("  refused %ld\n", result_of(connect(lone, (struct sockaddr*)&a, length)));
  printf("  lengths %ld %ld %ld\n", result_of(bind(lone, (struct sockaddr*)&a, 1)), result_of(bind(lone, (struct sockaddr*)&a, 200)),
         result_of(connect(lone, (struct sockaddr*)&a, 2)));
  length = sizeof a;
  getsockname(lone, (struct sockaddr*)&a, &length);
  printf("  no name %u\n", length);
  close(lone); close(fds[0]); close(fds[1]); close(pipe_fds[0]); close(pipe_fds[1]);
}

static void streams(void) {
  int fds[2];
  char text[100] = "";
  printf("streams\n");
  signal(SIGPIPE, SIG_IGN);
  pair(SOCK_STREAM, fds);
  printf("  write %ld %ld", result_of(write(fds[0], "hello ", 6)), result_of(send(fds[0], "world", 5, 0)));
  int waiting = 0;
  ioctl(fds[1], FIONREAD, &waiting);
  printf(", waiting %d, ready %x %x\n", waiting, ready(fds[1], POLLIN | POLLOUT), ready(fds[0], POLLIN | POLLOUT));
  printf("  peek %ld", result_of(recv(fds[1], text, 8, MSG_PEEK)));
  printf(" %.8s, read %ld", text, result_of(read(fds[1], text, sizeof text)));
  printf(" %.11s, dontwait %ld\n", text, result_of(recv(fds[1], text, 1, MSG_DONTWAIT)));
  printf("  zero %ld %ld\n", result_of(send(fds[0], "", 0, 0)), result_of(recv(fds[1], text, 0, MSG_DONTWAIT)));
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    pause_ms(20);
    if (write(fds[0], "ab", 2) != 2) _exit(1);
    pause_ms(20);
    _exit(write(fds[0], "cdef", 4) == 4 ? 0 : 1);
  }
  printf("  wait for all %ld", result_of(recv(fds[1], text, 6, MSG_WAITALL)));
  printf(" %.6s\n", text);
  waitpid(child, NULL, 0);
  printf("  shutdown %ld %ld %ld", result_of(shutdown(fds[0], 9)), result_of(send(fds[0], "x", 1, 0)), result_of(shutdown(fds[0], SHUT_WR)));
  printf(", send %ld", result_of(send(fds[0], "x", 1, 0)));
  printf(", read %ld", result_of(read(fds[1], text, 9)));
  printf(" %ld, back %ld", result_of(read(fds[1], text, 9)), result_of(send(fds[1], "y", 1, 0)));
  printf(", ready %x %x\n", ready(fds[0], POLLIN | POLLOUT | POLLRDHUP), ready(fds[1], POLLIN | POLLOUT | POLLRDHUP));
  close(fds[0]);
  printf("  closed unread: %ld", result_of(read(fds[1], text, 9)));
  printf(" %ld, send %ld, ready %x\n", result_of(read(fds[1], text, 9)), result_of(send(fds[1], "y", 1, 0)), ready(fds[1], POLLIN | POLLOUT | POLLRDHUP));
  close(fds[1]);
  fflush(stdout);
  const pid_t killed = fork();
  if (killed == 0) {
    signal(SIGPIPE, SIG_DFL);
    pair(SOCK_STREAM, fds);
    close(fds[0]);
    if (send(fds[1], "x", 1, MSG_NOSIGNAL) >= 0 || errno != EPIPE) _exit(1);
    send(fds[1], "x", 1, 0);
    _exit(2);
  }
  int status = 0;
  waitpid(killed, &status, 0);
  printf("  signal %d\n", WTERMSIG(status));
  /* Limits: how much fits. */
  pair(SOCK_STREAM | SOCK_NONBLOCK, fds);
  int count = 0;
  while (write(fds[0], "x", 1) == 1) ++count;
  printf("  single bytes %d, error %d, ready %x", count, errno, ready(fds[0], POLLOUT));
  long total = 0, got;
  static char big[1 << 20];
  while ((got = read(fds[1], big, 8)) > 0) total += got;
  printf(", read %ld, ready %x\n", total, ready(fds[0], POLLOUT));
  total = write(fds[0], big, sizeof big);
  printf("  at once %ld", total);
  total = 0;
  while ((got = read(fds[1], big, sizeof big)) > 0) total += got;
  printf(", read %ld\n", total);
  int size = 10000;
  setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  socklen_t length = sizeof size;
  getsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, &length);
  printf("  smaller %d, at once %ld\n", size, result_of(write(fds[0], big, sizeof big)));
  while (read(fds[1], big, sizeof big) > 0) {}
  /* A large blocking write goes through in pieces. */
  fcntl(fds[0], F_SETFL, 0);
  fcntl(fds[1], F_SETFL, 0);
  for (size_t i = 0; i < sizeof big; ++i) big[i] = (char)(i * 7 + i / 4096);
  fflush(stdout);
  const pid_t writer = fork();
  if (writer == 0) _exit(write(fds[0], big, sizeof big) == (long)sizeof big ? 5 : 1);
  unsigned sum = 0, want = 0;
  total = 0;
  static char part[3000];
  for (size_t i = 0; i < sizeof big; ++i) want = want * 31 + (unsigned char)big[i];
  while (total < (long)sizeof big && (got = read(fds[1], part, sizeof part)) > 0) {
    for (long i = 0; i < got; ++i) sum = sum * 31 + (unsigned char)part[i];
    total += got;
  }
  waitpid(writer, &status, 0);
  printf("  large write %ld, %x, same %d\n", total, status, sum == want);
  close(fds[0]); close(fds[1]);
}

static void connections(void) {
  socklen_t length, other = sizeof(struct sockaddr_un);
  struct sockaddr_un a = name_of("server", &length), got;
  char text[16];
  printf("connections\n");
  const int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  printf("  bind %ld", result_of(bind(server, (struct sockaddr*)&a, length)));
  printf(" %ld", result_of(bind(server, (struct sockaddr*)&a, length)));
  printf(" %ld", result_of(bind(client, (struct sockaddr*)&a, length)));
  printf(", not listening %ld", result_of(connect(client, (struct sockaddr*)&a, length)));
  printf(", listen %ld\n", result_of(listen(server, 1)));
  const int wrong = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  printf("  type %ld\n", result_of(connect(wrong, (struct sockaddr*)&a, length)));
  close(wrong);
  printf("  connect %ld", result_of(connect(client, (struct sockaddr*)&a, length)));
  printf(" %ld", result_of(connect(client, (struct sockaddr*)&a, length)));
  printf(", ready %x %x\n", ready(server, POLLIN | POLLOUT), ready(client, POLLIN | POLLOUT));
  const int second = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), third = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  printf("  second %ld", result_of(connect(second, (struct sockaddr*)&a, length)));
  printf(", full %ld", result_of(connect(third, (struct sockaddr*)&a, length)));
  printf(", early %ld\n", result_of(write(client, "early", 5)));
  const int made = accept4(server, (struct sockaddr*)&got, &other, SOCK_CLOEXEC);
  printf("  accept %d, address %u, cloexec %d, read %ld\n", made >= 0, other, fcntl(made, F_GETFD), result_of(read(made, text, 16)));
  close(accept(server, NULL, NULL));
  other = sizeof got;
  getpeername(client, (struct sockaddr*)&got, &other);
  printf("  peer %d", other == length && memcmp(got.sun_path, a.sun_path, length - 2) == 0);
  other = sizeof got;
  getsockname(made, (struct sockaddr*)&got, &other);
  printf(", own %d", other == length);
  other = 4;
  printf(", short %ld", result_of(getsockname(made, (struct sockaddr*)&got, &other)));
  printf(" %d\n", other == length);
  struct { int pid; unsigned uid, gid; } who;
  other = sizeof who;
  getsockopt(made, SOL_SOCKET, 17, &who, &other);
  printf("  credentials %u %d %d\n", other, who.pid == getpid(), who.uid == geteuid());
  int value = -1;
  for (int option = 1; option < 40; ++option) {
    if (option != 3 && option != 4 && option != 16 && option != 30 && option != 38 && option != 39) continue;
    other = sizeof value;
    getsockopt(server, SOL_SOCKET, option, &value, &other);
    printf("  option %d: %d\n", option, value);
  }
  printf("  unknown %ld %ld %ld\n", result_of(getsockopt(server, SOL_SOCKET, 999, &value, &other)),
         result_of(setsockopt(server, SOL_SOCKET, 999, &value, 4)), result_of(setsockopt(server, SOL_SOCKET, SO_PASSCRED, &value, 3)));
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const int late = socket(AF_UNIX, SOCK_STREAM, 0);
    pause_ms(20);
    if (connect(late, (struct sockaddr*)&a, length) != 0) _exit(1);
    _exit(write(late, "late", 4) == 4 ? 0 : 1);
  }
  const int waited = accept(server, NULL, NULL);
  printf("  waited %d, read %ld", waited >= 0, result_of(read(waited, text, 16)));
  waitpid(child, NULL, 0);
  printf(", end %ld\n", result_of(read(waited, text, 16)));
  const int pending = socket(AF_UNIX, SOCK_STREAM, 0);
  printf("  pending %ld", result_of(connect(pending, (struct sockaddr*)&a, length)));
  close(server);
  printf(", closed %ld", result_of(read(pending, text, 1)));
  printf(" %ld, gone %ld\n", result_of(read(pending, text, 1)), result_of(connect(third, (struct sockaddr*)&a, length)));
  close(pending); close(second); close(third); close(client); close(made); close(waited);
}

static void datagrams(void) {
  int fds[2];
  char text[16] = "";
  socklen_t length, server_length;
  struct sockaddr_un a = name_of("datagrams", &server_length), got, mine = {.sun_family = AF_UNIX};
  printf("datagrams\n");
  pair(SOCK_DGRAM | SOCK_NONBLOCK, fds);
  printf("  send %ld %ld", result_of(send(fds[0], "first", 5, 0)), result_of(send(fds[0], "", 0, 0)));
  printf(", receive %ld", result_of(recv(fds[1], text, 3, 0)));
  printf(" %.3s %ld %ld", text, result_of(recv(fds[1], text, 9, 0)), result_of(recv(fds[1], text, 9, 0)));
  send(fds[0], "truncated", 9, 0);
  printf(", whole %ld\n", result_of(recv(fds[1], text, 3, MSG_TRUNC)));
  static char big[300000];
  printf("  sizes %ld %ld %ld\n", result_of(send(fds[0], big, 213000, 0)), result_of(send(fds[0], big, 200000, 0)), result_of(recv(fds[1], big, sizeof big, 0)));
  close(fds[1]);
  printf("  peer gone %ld %ld\n", result_of(send(fds[0], "x", 1, 0)), result_of(send(fds[0], "x", 1, 0)));
  close(fds[0]);
  const int server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM, 0);
  bind(server, (struct sockaddr*)&a, server_length);
  printf("  to a name %ld", result_of(sendto(client, "hello", 5, 0, (struct sockaddr*)&a, server_length)));
  length = sizeof got;
  printf(", from %ld", result_of(recvfrom(server, text, 16, 0, (struct sockaddr*)&got, &length)));
  printf(" %u\n", length);
  printf("  any name %ld", result_of(bind(client, (struct sockaddr*)&mine, 2)));
  length = sizeof got;
  getsockname(client, (struct sockaddr*)&got, &length);
  printf(" %u", length);
  sendto(client, "again", 5, 0, (struct sockaddr*)&a, server_length);
  length = sizeof got;
  printf(", from %ld", result_of(recvfrom(server, text, 16, 0, (struct sockaddr*)&got, &length)));
  printf(" %u, answer %ld", length, result_of(sendto(server, "back", 4, 0, (struct sockaddr*)&got, length)));
  printf(" %ld\n", result_of(recv(client, text, 16, 0)));
  printf("  connect %ld", result_of(connect(client, (struct sockaddr*)&a, server_length)));
  printf(", send %ld, listen %ld, accept %ld\n", result_of(send(client, "x", 1, 0)), result_of(listen(client, 1)), result_of(accept(client, NULL, NULL)));
  close(client); close(server);
  pair(SOCK_SEQPACKET, fds);
  printf("  packets %ld %ld", result_of(send(fds[0], "abcdef", 6, 0)), result_of(send(fds[0], "gh", 2, 0)));
  printf(", %ld", result_of(recv(fds[1], text, 4, 0)));
  printf(" %ld", result_of(recv(fds[1], text, 4, 0)));
  close(fds[0]);
  printf(", end %ld, send %ld\n", result_of(recv(fds[1], text, 4, 0)), result_of(send(fds[1], "x", 1, MSG_NOSIGNAL)));
  close(fds[1]);
}

static long send_fds(int socket, const int* fds, int count, const char* text) {
  union { struct cmsghdr head; char bytes[CMSG_SPACE(300 * sizeof(int))]; } control;
  memset(&control, 0, sizeof control);
  struct iovec iov = {(void*)text, strlen(text)};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
  return result_of(sendmsg(socket, &m, 0));
}
static void receive(int socket, int room, int flags, int control_bytes, int* first) {
  union { struct cmsghdr head; char bytes[256]; } control;
  char text[64];
  struct iovec iov = {text, room};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control_bytes ? &control : NULL, .msg_controllen = control_bytes};
  const long got = result_of(recvmsg(socket, &m, flags));
  printf(" %ld flags %x", got, m.msg_flags & ~0x40000000);
  if (got < 0) return;
  for (struct cmsghdr* c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
    printf(" [%d %d %u]", c->cmsg_level, c->cmsg_type, (unsigned)c->cmsg_len);
    if (c->cmsg_type == SCM_RIGHTS && first != NULL) memcpy(first, CMSG_DATA(c), sizeof *first);
    if (c->cmsg_type == SCM_CREDENTIALS) {
      struct { int pid; unsigned uid, gid; } who;
      memcpy(&who, CMSG_DATA(c), sizeof who);
      printf(" pid %d uid %d", who.pid == getpid(), who.uid == geteuid());
    }
  }
}
static void messages(void) {
  int fds[2], pipe_fds[2], many[300], got = -1, on = 1;
  char text[16] = "";
  printf("messages\n");
  pair(SOCK_STREAM, fds);
  if (pipe(pipe_fds) != 0) abort();
  printf("  send %ld %ld", send_fds(fds[0], &pipe_fds[0], 1, "one"), send_fds(fds[0], &pipe_fds[1], 1, "two"));
  printf(", receive");
  receive(fds[1], 64, MSG_CMSG_CLOEXEC, 256, &got);
  printf(", cloexec %d", fcntl(got, F_GETFD));
  if (write(pipe_fds[1], "through", 7) != 7) abort();
  printf(", read %ld\n", result_of(read(got, text, 16)));
  close(got);
  printf("  no room");
  receive(fds[1], 64, 0, 0, NULL);
  for (int i = 0; i < 300; ++i) many[i] = pipe_fds[0];
  printf("\n  many %ld %ld", send_fds(fds[0], many, 254, "x"), send_fds(fds[0], many, 3, "x"));
  receive(fds[1], 64, 0, 12 + 8, NULL);
  many[1] = 999;
  printf("\n  bad %ld", send_fds(fds[0], many, 2, "x"));
  send_fds(fds[0], &pipe_fds[0], 1, "peeked");
  printf(", peek");
  receive(fds[1], 64, MSG_PEEK, 256, NULL);
  receive(fds[1], 64, 0, 256, NULL);
  printf("\n  credentials");
  setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  if (write(fds[0], "who", 3) != 3) abort();
  receive(fds[1], 64, 0, 256, NULL);
  printf("\n");
  /* A descriptor outlives its sender. */
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    int own[2];
    if (pipe(own) != 0 || write(own[1], "left", 4) != 4) _exit(1);
    _exit(send_fds(fds[0], &own[0], 1, "y") == 1 ? 0 : 1);
  }
  waitpid(child, NULL, 0);
  union { struct cmsghdr head; char bytes[256]; } control;
  struct iovec iov = {text, 1};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = 256};
  recvmsg(fds[1], &m, 0);
  for (struct cmsghdr* c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_type == SCM_RIGHTS) memcpy(&got, CMSG_DATA(c), sizeof got);
  }
  printf("  from the dead %ld", result_of(read(got, text, 16)));
  printf(" %ld\n", result_of(read(got, text, 16)));
  /* Sockets in each other's queues. */
  for (int i = 0; i < 3; ++i) {
    int a[2];
    pair(SOCK_STREAM, a);
    send_fds(a[0], &a[1], 1, "z");
    send_fds(a[1], &a[0], 1, "z");
    close(a[0]);
    close(a[1]);
  }
  pair(SOCK_DGRAM, many);
  send_fds(many[0], &pipe_fds[0], 1, "lost");
  close(many[0]); close(many[1]); close(fds[0]); close(fds[1]);
  struct timeval quick = {0, 20000};
  pair(SOCK_STREAM, fds);
  setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &quick, sizeof quick);
  printf("  timeout %ld\n", result_of(recv(fds[0], text, 1, 0)));
}

static void files(void) {
  char folder[] = "/tmp/unix_sockets_XXXXXX", text[8];
  printf("files\n");
  if (mkdtemp(folder) == NULL || chdir(folder) != 0) abort();
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "here"}, other = {.sun_family = AF_UNIX, .sun_path = "file"};
  const int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0), wrong = socket(AF_UNIX, SOCK_DGRAM, 0);
  printf("  none %ld", result_of(connect(client, (struct sockaddr*)&a, sizeof a)));
  umask(022);
  printf(", bind %ld", result_of(bind(server, (struct sockaddr*)&a, sizeof a)));
  printf(" %ld", result_of(bind(client, (struct sockaddr*)&a, sizeof a)));
  struct stat st;
  stat("here", &st);
  socklen_t length = sizeof other;
  getsockname(server, (struct sockaddr*)&other, &length);
  printf(", mode %o, name %u %s\n", st.st_mode, length, other.sun_path);
  listen(server, 3);
  printf("  connect %ld %ld", result_of(connect(client, (struct sockaddr*)&a, sizeof a)), result_of(connect(wrong, (struct sockaddr*)&a, sizeof a)));
  printf(", open %ld", result_of(open("here", O_RDWR)));
  const int made = accept(server, NULL, NULL);
  if (write(made, "path", 4) != 4) abort();
  printf(", read %ld\n", result_of(read(client, text, 8)));
  close(open("file", O_CREAT | O_RDWR, 0600));
  other = (struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "file"};
  printf("  a file %ld", result_of(connect(wrong, (struct sockaddr*)&other, sizeof other)));
  close(server);
  const int late = socket(AF_UNIX, SOCK_STREAM, 0);
  printf(", closed %ld", result_of(connect(late, (struct sockaddr*)&a, sizeof a)));
  printf(", unlink %ld", result_of(unlink("here")));
  printf(", gone %ld\n", result_of(connect(late, (struct sockaddr*)&a, sizeof a)));
  unlink("file");
  if (chdir("/") != 0 || rmdir(folder) != 0) abort();
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  errors();
  streams();
  connections();
  datagrams();
  messages();
  files();
  return 0;
}
