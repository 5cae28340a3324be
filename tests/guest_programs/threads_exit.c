/* How threads and their process end: the main thread before the others, exit from another thread, fork and exec in a
 * thread, a spinning thread that must not keep the others from running, many threads at the end of a process. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "support/say.h"

static volatile int stop, started;
static volatile unsigned spun;

static void nap(long ms) {
  struct timespec t = {0, ms * 1000000};
  while (nanosleep(&t, &t) == -1 && errno == EINTR) {}
}
static void* sleeps(void* argument) {
  __sync_fetch_and_add(&started, 1);
  for (;;) nap(200);
  return argument;
}
static void* spins(void* argument) {
  __sync_fetch_and_add(&started, 1);
  while (!stop) ++spun;
  return argument;
}
static pthread_t create(void* (*body)(void*), void* argument) {
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, body, argument) == 0);
  return thread;
}

static void* goes_on(void* argument) {
  nap(30);
  char state = '?';
  const int fd = open("/proc/self/stat", O_RDONLY);
  static char text[512];
  if (fd >= 0 && read(fd, text, sizeof text - 1) > 0) {
    const char* end = strrchr(text, ')');
    state = end ? end[2] : '?';
  }
  say("the main thread has left, its state is %c", state);
  (void)argument;
  return NULL;
}
static void* exits(void* argument) {
  nap(10);
  exit((int)(long)argument);
}
static void* forks(void* argument) {
  (void)argument;
  const pid_t child = must_fork();
  if (child == 0) {
    /* Only the forking thread is here, and it is the child's main thread. */
    _exit(getpid() == (int)syscall(SYS_gettid) ? 41 : 42);
  }
  return (void*)(long)must_wait(child);
}
static void* execs(void* pid) {
  char text[16];
  snprintf(text, sizeof text, "%d", (int)(long)pid);
  char* const argv[] = {"threads_exit", text, NULL};
  char* const envp[] = {NULL};
  execve("/proc/self/exe", argv, envp);
  _exit(1);
}
static void* fails_to_exec(void* argument) {
  (void)argument;
  char* const argv[] = {"x", NULL};
  execve("/nonexistent", argv, argv + 1);
  return (void*)(long)errno;
}
static void* raw_exit(void* argument) {
  (void)argument;
  syscall(SYS_exit, 9); /* ends this thread only */
  return NULL;
}

static void endings(void) {
  for (int how = 0; how < 6; ++how) {
    static const char* const names[] = {"main leaves",        "a thread calls exit", "main returns", "a thread executes",
                                        "a thread is killed", "all leave by raw exit"};
    const pid_t child = must_fork();
    if (child == 0) {
      switch (how) {
        case 0: {
          /* By way of exec: in a forked child of musl 1.2.3 the others would wait for the main thread's lock for ever. */
          char* const argv[] = {"threads_exit", "leave", NULL};
          char* const envp[] = {NULL};
          execve("/proc/self/exe", argv, envp);
          _exit(1);
        }
        case 1:
          create(exits, (void*)33);
          for (;;) nap(100);
        case 2:
          for (int i = 0; i < 20; ++i) create(i & 1 ? sleeps : spins, NULL);
          while (started < 20) nap(1);
          exit(44);
        case 3:
          for (int i = 0; i < 4; ++i) create(i & 1 ? sleeps : spins, NULL);
          while (started < 4) nap(1);
          create(execs, (void*)(long)getpid());
          for (;;) nap(100);
        case 4: {
          const pthread_t thread = create(sleeps, NULL);
          while (started < 1) nap(1);
          pthread_kill(thread, SIGKILL);
          for (;;) nap(100);
        }
        case 5:
          create(raw_exit, NULL);
          nap(20);
          syscall(SYS_exit, 17);
      }
    }
    say("%s: %s", names[how], status_text(must_wait(child)));
  }
}

static void forking(void) {
  create(sleeps, NULL);
  void* result;
  MUST(pthread_join(create(forks, NULL), &result) == 0);
  say("fork in a thread: %s", status_text((int)(long)result));
  MUST(pthread_join(create(fails_to_exec, NULL), &result) == 0);
  say("exec fails in a thread: %s", error_name((int)(long)result));
  /* Any thread may wait for a child of another. */
  const pid_t child = must_fork();
  if (child == 0) _exit(8);
  say("we wait: %s", status_text(must_wait(child)));
}

static void* adds(void* argument) {
  for (int i = 0; i < 1000; ++i) ++*(volatile int*)argument;
  return NULL;
}
static void starving(void) {
  /* Two threads spin without a system call; others are created, sleep and talk through pipes all the same. */
  spun = 0;
  const pthread_t one = create(spins, NULL), two = create(spins, NULL);
  int sum = 0, fds[2];
  for (int i = 0; i < 5; ++i) MUST(pthread_join(create(adds, &sum), NULL) == 0);
  MUST(pipe(fds) == 0);
  for (int i = 0; i < 5; ++i) {
    char byte = 0;
    MUST(write(fds[1], "x", 1) == 1 && read(fds[0], &byte, 1) == 1 && byte == 'x');
    nap(1);
  }
  const unsigned before = spun;
  while (spun == before) nap(1);
  stop = 1;
  MUST(pthread_join(one, NULL) == 0 && pthread_join(two, NULL) == 0);
  say("beside two spinning threads: sum %d, and they spun on", sum);
  stop = 0;
  /* The main thread spins for what another one does; two processes spin for each other. */
  volatile int* turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  MUST(turn != MAP_FAILED);
  const pid_t child = must_fork();
  for (int i = 0; i < 5; ++i) {
    while (*turn % 2 != (child == 0)) {}
    ++*turn;
  }
  if (child == 0) _exit(0);
  must_wait(child);
  say("two spinning processes took %d turns", *turn);
}

int main(int argc, char** argv) {
  if (argc > 1 && !strcmp(argv[1], "leave")) {
    create(goes_on, NULL);
    pthread_exit(NULL);
  }
  if (argc > 1) {
    say("new program: pid %s, tid %s", atoi(argv[1]) == getpid() ? "kept" : "changed",
        getpid() == (int)syscall(SYS_gettid) ? "the same" : "another");
    return 55;
  }
  endings();
  forking();
  starving();
  return 0;
}
