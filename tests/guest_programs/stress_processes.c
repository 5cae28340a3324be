/* Processes that come and go in every way, one after the other and several at once: exit, exec, failed exec, death by
 * signal, kill at any moment, vfork, orphans, threads that are still there at the end, stops, open pipes and files.
 * Every status is checked. Arguments: rounds (2000), seed (1). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "support/say.h"

static unsigned state;
static unsigned next(unsigned below) {
  state = state * 1664525 + 1013904223;
  return (state >> 8) % below;
}

static void* spins(void* stop) {
  while (!*(volatile int*)stop) {}
  return NULL;
}
static void* waits(void* argument) {
  for (;;) pause();
  return argument;
}

static void executes(int code) {
  char number[8];
  snprintf(number, sizeof number, "%d", code);
  char* const argv[] = {"stress_processes", "exit", number, NULL};
  char* const envp[] = {"E=1", NULL};
  execve("/proc/self/exe", argv, envp);
  _exit(99);
}

/* Things that an end must clean up. */
static void acquire(void) {
  static volatile int never;
  for (unsigned n = next(4); n > 0; --n) {
    int fds[2];
    pthread_t thread;
    switch (next(6)) {
      case 0:
        if (pipe(fds) == 0) (void)!write(fds[1], "some bytes", 10);
        break;
      case 1: {
        char* memory = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (unsigned i = 0; i < 64; i += 1 + next(8)) memory[i * 4096] = 1;
        break;
      }
      case 2: {
        char* memory = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        memory[next(16) * 4096] = 1;
        break;
      }
      case 3:
        (void)!open("/proc/self/maps", O_RDONLY);
        break;
      case 4:
        if (pthread_create(&thread, NULL, next(2) ? spins : waits, (void*)&never) != 0) _exit(97);
        break;
      case 5:
        if (fork() == 0) {
          if (next(2)) sched_yield();
          _exit(0); /* an orphan, or a zombie of the child */
        }
    }
  }
}

/* A child of the kind; what its status must be: exit code, or -signal. */
static pid_t start(unsigned kind, int* expected) {
  const int code = (int)next(200);
  const unsigned fork_seed = next(1u << 20);
  pid_t pid;
  switch (kind) {
    case 0:
      *expected = code;
      pid = must_fork();
      if (pid == 0) {
        state = fork_seed;
        acquire();
        _exit(code);
      }
      return pid;
    case 1:
      *expected = code;
      pid = must_fork();
      if (pid == 0) {
        state = fork_seed;
        acquire();
        executes(code);
      }
      return pid;
    case 2:
      *expected = -SIGUSR1;
      pid = must_fork();
      if (pid == 0) {
        state = fork_seed;
        acquire();
        kill(getpid(), SIGUSR1);
        for (;;) pause();
      }
      return pid;
    case 3: /* killed at any moment of its life */
      *expected = -SIGKILL;
      pid = must_fork();
      if (pid == 0) {
        state = fork_seed;
        acquire();
        for (;;) {
          const pid_t inner = fork();
          if (inner == 0) _exit(0);
          if (inner > 0) waitpid(inner, NULL, 0);
        }
      }
      for (unsigned n = next(6); n > 0; --n) sched_yield();
      kill(pid, SIGKILL);
      return pid;
    case 4:
      *expected = code;
      pid = vfork();
      if (pid == 0) executes(code);
      MUST(pid > 0);
      return pid;
    case 5:
      *expected = 13;
      pid = must_fork();
      if (pid == 0) {
        char* const argv[] = {"x", NULL};
        execve("/nonexistent", argv, argv + 1);
        execve("/dev/null", argv, argv + 1);
        _exit(errno);
      }
      return pid;
    case 6:
      *expected = -SIGSEGV;
      pid = must_fork();
      if (pid == 0) {
        state = fork_seed;
        acquire();
        *(volatile int*)16 = 1;
      }
      return pid;
    case 7:
      *expected = -SIGTERM;
      pid = must_fork();
      if (pid == 0) {
        raise(SIGSTOP);
        _exit(98);
      }
      int status;
      MUST(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
      kill(pid, SIGTERM);
      kill(pid, SIGCONT);
      return pid;
    default:
      *expected = code;
      pid = must_fork();
      if (pid == 0) {
        state = fork_seed;
        acquire();
        exit(code); /* with what libc does at an exit */
      }
      return pid;
  }
}

int main(int argc, char** argv) {
  if (argc == 3 && !strcmp(argv[1], "exit")) return atoi(argv[2]);
  const unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 2000;
  state = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
  MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  enum { kMost = 8 };
  struct {
    pid_t pid;
    int expected;
  } running[kMost];
  unsigned count = 0, kinds[9] = {0}, wrong = 0, orphans = 0;
  for (unsigned round = 0; round < rounds || count > 0;) {
    if (round < rounds && count < kMost && (count == 0 || next(3) != 0)) {
      const unsigned kind = next(9);
      ++kinds[kind];
      ++round;
      running[count].pid = start(kind, &running[count].expected);
      ++count;
      continue;
    }
    const unsigned at = next(count);
    const int status = must_wait(running[at].pid);
    const int got = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    if (got != running[at].expected) {
      say("expected %d, got %s", running[at].expected, status_text(status));
      ++wrong;
    }
    running[at] = running[--count];
  }
  while (wait(NULL) > 0) ++orphans;
  say("%u rounds: %u %u %u %u %u %u %u %u %u; %u wrong; %s orphans", rounds, kinds[0], kinds[1], kinds[2], kinds[3], kinds[4],
      kinds[5], kinds[6], kinds[7], kinds[8], wrong, orphans > 0 ? "some" : "no");
  return wrong != 0;
}
