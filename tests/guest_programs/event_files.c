/* eventfd, signalfd, epoll, pidfd, poll and select between several tasks: what they answer and who is woken when. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "support/answers.h"

static int shared_fd;
static void* write_later(void* p) {
  const uint64_t value = (uintptr_t)p;
  pause_ms(30);
  if (write(shared_fd, &value, 8) != 8) abort();
  return NULL;
}
static void* read_later(void* p) {
  uint64_t value;
  (void)p;
  pause_ms(30);
  if (read(shared_fd, &value, 8) != 8) abort();
  return NULL;
}

static void events(void) {
  uint64_t value = 0;
  pthread_t thread;
  printf("eventfd\n");
  printf("  flags %ld\n", result_of(syscall(SYS_eventfd2, 0, 2)));
  const int fd = eventfd(3, EFD_NONBLOCK);
  printf("  ready %x\n", ready(fd, POLLIN | POLLOUT));
  printf("  short %ld %ld\n", result_of(read(fd, &value, 7)), result_of(write(fd, &value, 7)));
  printf("  read %ld", result_of(read(fd, &value, 8)));
  printf(" %llu", (unsigned long long)value);
  printf(", again %ld\n", result_of(read(fd, &value, 8)));
  value = ~0ull;
  printf("  most %ld", result_of(write(fd, &value, 8)));
  value = ~0ull - 1;
  printf(" %ld", result_of(write(fd, &value, 8)));
  value = 1;
  printf(" %ld, ready %x\n", result_of(write(fd, &value, 8)), ready(fd, POLLIN | POLLOUT));
  printf("  nowhere %ld", result_of(syscall(SYS_read, fd, (void*)16, 8)));
  printf(", then %x\n", ready(fd, POLLIN));
  printf("  seek %ld\n", result_of(lseek(fd, 0, SEEK_SET)));
  shared_fd = eventfd(2, EFD_SEMAPHORE);
  printf("  semaphore");
  for (int i = 0; i < 2; ++i) {
    printf(" %ld", result_of(read(shared_fd, &value, 8)));
    printf(" %llu", (unsigned long long)value);
  }
  pthread_create(&thread, NULL, write_later, (void*)1);
  printf(", waited %ld", result_of(read(shared_fd, &value, 8)));
  printf(" %llu\n", (unsigned long long)value);
  pthread_join(thread, NULL);
  close(shared_fd);
  shared_fd = eventfd(1, 0);
  pthread_create(&thread, NULL, read_later, NULL);
  value = ~0ull - 1;
  printf("  full, then %ld\n", result_of(write(shared_fd, &value, 8)));
  pthread_join(thread, NULL);
  close(shared_fd);
  close(fd);
}

static void wait_and_show(int ep, int room, int ms) {
  struct epoll_event got[8];
  const long count = result_of(epoll_wait(ep, got, room, ms));
  printf(" %ld", count);
  for (long i = 0; i < count; ++i) printf(" %x:%llu", got[i].events, (unsigned long long)got[i].data.u64);
}
static void control(int ep, int op, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  printf(" %ld", result_of(epoll_ctl(ep, op, fd, &event)));
}
static void put(int fd, uint64_t value) {
  if (write(fd, &value, 8) != 8) abort();
}
static void take(int fd) {
  uint64_t value;
  if (read(fd, &value, 8) != 8) abort();
}

static void epolls(void) {
  int pipe_fds[2], other[2];
  char text[16];
  if (pipe(pipe_fds) != 0 || pipe(other) != 0) abort();
  const int event = eventfd(0, EFD_NONBLOCK), second = eventfd(0, EFD_NONBLOCK);
  printf("epoll\n  create %ld %ld", result_of(syscall(SYS_epoll_create, 0)), result_of(epoll_create1(1)));
  const int ep = epoll_create1(EPOLL_CLOEXEC), regular = open("/proc/self/exe", O_RDONLY);
  printf(", %d\n  errors", fcntl(ep, F_GETFD));
  control(ep, EPOLL_CTL_ADD, 999, EPOLLIN, 0);
  control(999, EPOLL_CTL_ADD, event, EPOLLIN, 0);
  control(ep, EPOLL_CTL_ADD, regular, EPOLLIN, 0);
  control(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 0);
  control(event, EPOLL_CTL_ADD, event, EPOLLIN, 0);
  control(event, EPOLL_CTL_ADD, second, EPOLLIN, 0);
  control(ep, EPOLL_CTL_MOD, event, EPOLLIN, 0);
  control(ep, EPOLL_CTL_DEL, event, EPOLLIN, 0);
  control(ep, 9, event, EPOLLIN, 0);
  printf(" %ld", result_of(epoll_ctl(ep, EPOLL_CTL_ADD, event, NULL)));
  printf("\n  waits %ld %ld %ld %ld", result_of(syscall(SYS_epoll_wait, ep, text, 0, 0)),
         result_of(syscall(SYS_epoll_wait, ep, text, -1, 0)), result_of(syscall(SYS_epoll_wait, 999, text, 1, 0)),
         result_of(syscall(SYS_epoll_wait, event, text, 1, 0)));
  printf("\n  add");
  control(ep, EPOLL_CTL_ADD, event, EPOLLIN, 1);
  control(ep, EPOLL_CTL_ADD, event, EPOLLIN, 1);
  control(ep, EPOLL_CTL_ADD, pipe_fds[0], EPOLLIN, 2);
  control(ep, EPOLL_CTL_ADD, pipe_fds[1], EPOLLOUT | EPOLLET, 3);
  printf("\n  edge");
  wait_and_show(ep, 8, 0);
  wait_and_show(ep, 8, 0);
  put(event, 1);
  printf("\n  level");
  wait_and_show(ep, 8, -1);
  wait_and_show(ep, 8, 0);
  take(event);
  wait_and_show(ep, 8, 0);
  printf("\n  one shot");
  control(ep, EPOLL_CTL_MOD, event, EPOLLIN | EPOLLONESHOT, 4);
  put(event, 1);
  wait_and_show(ep, 8, 0);
  put(event, 1);
  wait_and_show(ep, 8, 0);
  control(ep, EPOLL_CTL_MOD, event, EPOLLIN | EPOLLONESHOT, 5);
  wait_and_show(ep, 8, 0);
  printf("\n  edges");
  control(ep, EPOLL_CTL_MOD, pipe_fds[0], EPOLLIN | EPOLLET, 6);
  if (write(pipe_fds[1], "abc", 3) != 3) abort();
  wait_and_show(ep, 8, 0);
  if (read(pipe_fds[0], text, 1) != 1) abort(); /* no news for the reader */
  wait_and_show(ep, 8, 0);
  if (write(pipe_fds[1], "d", 1) != 1) abort();
  wait_and_show(ep, 8, 0);
  if (read(pipe_fds[0], text, 9) != 3) abort();
  wait_and_show(ep, 8, 0);
  printf("\n  turns");
  const int fair = epoll_create1(0);
  for (int i = 0; i < 3; ++i) control(fair, EPOLL_CTL_ADD, eventfd(1, 0), EPOLLIN, i);
  for (int i = 0; i < 4; ++i) wait_and_show(fair, 2, 0);
  printf("\n  two ends of one event");
  wait_and_show(fair, 8, 0);
  printf("\n  closed");
  control(ep, EPOLL_CTL_ADD, second, EPOLLIN, 7);
  put(second, 1);
  close(second);
  wait_and_show(ep, 8, 0);
  control(ep, EPOLL_CTL_ADD, other[0], EPOLLIN, 8);
  close(other[1]);
  wait_and_show(ep, 8, 0);
  const int copy = dup(other[0]);
  close(other[0]);
  wait_and_show(ep, 8, 0);
  close(copy);
  wait_and_show(ep, 8, 0);
  printf("\n  nested");
  const int outer = epoll_create1(0);
  control(outer, EPOLL_CTL_ADD, ep, EPOLLIN, 9);
  control(ep, EPOLL_CTL_ADD, outer, EPOLLIN, 10);
  control(outer, EPOLL_CTL_ADD, event, EPOLLEXCLUSIVE | EPOLLIN, 11);
  control(outer, EPOLL_CTL_MOD, event, EPOLLIN, 11);
  control(outer, EPOLL_CTL_ADD, ep, EPOLLEXCLUSIVE | EPOLLIN, 11);
  control(outer, EPOLL_CTL_DEL, event, 0, 0);
  if (write(pipe_fds[1], "x", 1) != 1) abort();
  printf(" ready %x", ready(outer, POLLIN));
  wait_and_show(outer, 8, 0);
  wait_and_show(ep, 8, 0);
  wait_and_show(outer, 8, 0);
  printf("\n  chain");
  int chain[8];
  for (int i = 0; i < 8; ++i) chain[i] = epoll_create1(0);
  for (int i = 0; i < 7; ++i) control(chain[i], EPOLL_CTL_ADD, chain[i + 1], EPOLLIN, 0);
  printf("\n  timeout");
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  wait_and_show(chain[7], 1, 30);
  clock_gettime(CLOCK_MONOTONIC, &after);
  const long passed = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
  printf(" %d", passed >= 29 && passed < 1000);
  printf("\n  thread");
  shared_fd = eventfd(0, 0);
  control(chain[7], EPOLL_CTL_ADD, shared_fd, EPOLLIN, 12);
  pthread_t thread;
  pthread_create(&thread, NULL, write_later, (void*)3);
  wait_and_show(chain[7], 1, -1);
  pthread_join(thread, NULL);
  printf("\n");
}

static volatile int handled;
static void on_signal(int number) { handled += number == SIGUSR1 ? 1 : 10; }
static pthread_t main_thread;
static void* signal_later(void* p) {
  (void)p;
  pause_ms(30);
  pthread_kill(main_thread, SIGUSR1);
  return NULL;
}
static void masks(void) {
  printf("signals\n");
  sigset_t usr1, none;
  pthread_t thread;
  main_thread = pthread_self();
  sigemptyset(&none);
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  const int ep = epoll_create1(0);
  struct epoll_event got;
  pthread_create(&thread, NULL, signal_later, NULL);
  printf("  wait %ld", result_of(epoll_wait(ep, &got, 1, -1)));
  pthread_join(thread, NULL);
  printf(", handled %d\n", handled);
  pthread_create(&thread, NULL, signal_later, NULL);
  printf("  poll %ld", result_of(poll(NULL, 0, 5000)));
  pthread_join(thread, NULL);
  printf(", handled %d\n", handled);
  sigprocmask(SIG_BLOCK, &usr1, NULL);
  raise(SIGUSR1);
  printf("  blocked %ld", result_of(epoll_wait(ep, &got, 1, 10)));
  printf(", handled %d\n", handled);
  printf("  pwait %ld", result_of(epoll_pwait(ep, &got, 1, 1000, &none)));
  printf(", handled %d\n", handled);
  raise(SIGUSR1);
  /* Ready at once: the signal waits until the old mask allows it. */
  const int event = eventfd(1, 0);
  struct pollfd p = {event, POLLIN, 0};
  const struct timespec second = {1, 0};
  printf("  ppoll, ready %ld", result_of(ppoll(&p, 1, &second, &none)));
  printf(", handled %d\n", handled);
  struct timespec left = {5, 0};
  printf("  ppoll %ld", result_of(ppoll(NULL, 0, &left, &none)));
  printf(", handled %d\n", handled);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(event, &set);
  struct timeval zero = {0, 0};
  printf("  select %ld", result_of(select(event + 1, &set, NULL, NULL, &zero)));
  printf(" %d\n", FD_ISSET(event, &set));
  take(event);
  FD_SET(event, &set);
  struct timeval some = {0, 20000};
  printf("  select %ld", result_of(select(event + 1, &set, NULL, NULL, &some)));
  printf(" %d\n", FD_ISSET(event, &set));
  printf("signalfd\n");
  printf("  errors %ld %ld %ld\n", result_of(syscall(SYS_signalfd4, -1, &usr1, 4, 0)),
         result_of(syscall(SYS_signalfd4, -1, &usr1, 8, 1)), result_of(syscall(SYS_signalfd4, event, &usr1, 8, 0)));
  const int fd = signalfd(-1, &usr1, SFD_NONBLOCK);
  struct signalfd_siginfo info[3];
  printf("  none %ld, ready %x\n", result_of(read(fd, info, sizeof info)), ready(fd, POLLIN));
  union sigval value = {.sival_int = 1234};
  sigqueue(getpid(), SIGUSR1, value);
  printf("  short %ld, ready %x\n", result_of(read(fd, info, 127)), ready(fd, POLLIN));
  printf("  read %ld", result_of(read(fd, info, sizeof info)));
  printf(", signal %u code %d pid %d value %d\n", info[0].ssi_signo, info[0].ssi_code, info[0].ssi_pid == (unsigned)getpid(), info[0].ssi_int);
  sigaddset(&usr1, SIGRTMIN + 1);
  sigaddset(&usr1, SIGCHLD);
  sigprocmask(SIG_BLOCK, &usr1, NULL);
  printf("  changed %d\n", signalfd(fd, &usr1, 0) == fd);
  for (int i = 0; i < 4; ++i) sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
  printf("  three %ld", result_of(read(fd, info, sizeof info)));
  printf(" %d %d %d\n", info[0].ssi_int, info[1].ssi_int, info[2].ssi_int);
  printf("  rest %ld", result_of(read(fd, info, sizeof info)));
  printf(" %d\n", info[0].ssi_int);
  fcntl(fd, F_SETFL, 0);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    pause_ms(30);
    _exit(7);
  }
  printf("  child %ld", result_of(read(fd, info, sizeof info)));
  printf(" %d, code %d, status %d\n", info[0].ssi_pid == (unsigned)child, info[0].ssi_code, info[0].ssi_status);
  waitpid(child, NULL, 0);
  struct epoll_event event2 = {.events = EPOLLIN};
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event2);
  pthread_create(&thread, NULL, signal_later, NULL);
  printf("  epoll %ld\n", result_of(epoll_wait(ep, &got, 1, 2000)));
  pthread_join(thread, NULL);
  if (read(fd, info, sizeof *info) != sizeof *info) abort();
}

static void pidfds(void) {
  printf("pidfd\n");
  printf("  errors %ld %ld %ld\n", result_of(syscall(434, -1, 0)), result_of(syscall(434, getpid(), 1)),
         result_of(syscall(434, 0x3fffffff, 0)));
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  const int fd = (int)syscall(434, child, 0);
  printf("  open %d, flags %x %d\n", fd >= 0, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
  printf("  running %x, read %ld\n", ready(fd, POLLIN), result_of(read(fd, (char[8]){0}, 8)));
  siginfo_t info;
  memset(&info, 0, sizeof info);
  printf("  waitid %ld\n", result_of(waitid(3, fd, &info, WEXITED | WNOHANG)));
  printf("  signals %ld %ld %ld\n", result_of(syscall(424, fd, 0, NULL, 0)), result_of(syscall(424, fd, 99, NULL, 0)),
         result_of(syscall(424, 0, 0, NULL, 0)));
  printf("  kill %ld", result_of(syscall(424, fd, SIGTERM, NULL, 0)));
  struct pollfd p = {fd, POLLIN, 0};
  printf(", poll %d", poll(&p, 1, 5000));
  printf(" %x\n", p.revents);
  printf("  waitid %ld", result_of(waitid(3, fd, &info, WEXITED)));
  printf(" %d %d %d\n", info.si_pid == child, info.si_code, info.si_status);
  printf("  gone %ld %ld\n", result_of(syscall(424, fd, 0, NULL, 0)), result_of(waitid(3, fd, &info, WEXITED)));
  int made = -1;
  fflush(stdout);
  const long cloned = syscall(SYS_clone, 0x1000 | SIGCHLD, 0, &made, 0, 0);
  if (cloned == 0) _exit(9);
  p = (struct pollfd){made, POLLIN, 0};
  printf("  clone %d, poll %d", made >= 0, poll(&p, 1, 5000));
  int status = 0;
  printf(", wait %d", waitpid((pid_t)cloned, &status, 0) == cloned);
  printf(" %x\n", status);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  events();
  epolls();
  masks();
  pidfds();
  return 0;
}
