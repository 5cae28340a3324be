/* vfork: the parent stands still until the child has ended or started another program; memory is shared, descriptors
 * are not; the child's death by a signal or a failed exec lets the parent go on.
 *
 * The children are made with clone(CLONE_VM | CLONE_VFORK) on a stack of their own, so that what they do cannot spoil
 * the parent's frames; one uses vfork itself. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

#include "support/say.h"

static volatile int order[16], steps;
static volatile int shared;
static char stack[65536] __attribute__((aligned(16)));

static void nap(long ms) {
  struct timespec t = {0, ms * 1000000};
  nanosleep(&t, NULL);
}

static pid_t start(int (*body)(void*), void* argument) {
  const pid_t pid = clone(body, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, argument);
  order[steps++] = 1;
  MUST(pid > 0);
  return pid;
}

static int exits_slowly(void* argument) {
  nap(30);
  shared = *(int*)argument;
  order[steps++] = 2;
  _exit(4);
}

static int is_killed(void* argument) {
  (void)argument;
  order[steps++] = 2;
  kill(getpid(), SIGKILL); /* raise would use the tid that libc keeps, the parent's */
  return 0;
}

static int execs(void* argument) {
  order[steps++] = 2;
  char* const argv[] = {"process_vfork", argument, NULL};
  char* const envp[] = {NULL};
  execve("/proc/self/exe", argv, envp);
  _exit(50);
}

static int fails_to_exec(void* argument) {
  char* const argv[] = {"x", NULL};
  execve("/nonexistent", argv, argv + 1);
  *(int*)argument = errno;
  _exit(51);
}

static int changes_descriptors(void* argument) {
  (void)argument;
  close(0);
  chdir("/proc");
  signal(SIGUSR1, SIG_IGN);
  _exit(0);
}

static volatile sig_atomic_t handled;
static void handler(int signal) {
  (void)signal;
  handled = steps;
  order[steps++] = 3;
}

static int signals_parent(void* argument) {
  (void)argument;
  kill(getppid(), SIGUSR1);
  nap(30);
  order[steps++] = 2;
  _exit(0);
}

static void show(const char* what, int status) {
  char text[64];
  int length = 0;
  for (int i = 0; i < steps; ++i) length += snprintf(text + length, sizeof text - length, " %d", order[i]);
  text[length] = 0;
  say("%s: %s, order%s", what, status_text(status), text);
  steps = 0;
}

int main(int argc, char** argv) {
  if (argc > 1 && argv[1][0] == 's') {
    nap(50);
    return 5;
  }
  int value = 42;
  show("exit", must_wait(start(exits_slowly, &value)));
  say("memory: %d", shared);
  show("killed", must_wait(start(is_killed, NULL)));
  /* The parent goes on at the exec, long before the new program ends. */
  pid_t child = start(execs, "sleep");
  int status;
  say("after exec: %s", waitpid(child, &status, WNOHANG) == 0 ? "runs still" : "ended");
  show("exec", must_wait(child));
  value = 0;
  show("failed exec", must_wait(start(fails_to_exec, &value)));
  say("its error: %s", error_name(value));
  char before[256], after[256];
  MUST(getcwd(before, sizeof before) != NULL);
  signal(SIGUSR1, handler);
  show("descriptors", must_wait(start(changes_descriptors, NULL)));
  struct sigaction action;
  MUST(getcwd(after, sizeof after) != NULL && sigaction(SIGUSR1, NULL, &action) == 0);
  say("ours are %s, folder %s, handler %s", fcntl(0, F_GETFD) == -1 ? "closed" : "open",
      strcmp(before, after) ? "changed" : "kept", action.sa_handler == handler ? "kept" : "changed");
  /* A signal to the waiting parent is handled after the child has ended. */
  show("signal", must_wait(start(signals_parent, NULL)));
  say("handled as step %d", handled);
  /* vfork of libc, several levels: a vfork child that forks and waits itself. */
  child = vfork();
  if (child == 0) {
    const pid_t inner = vfork();
    if (inner == 0) _exit(3);
    int inner_status;
    waitpid(inner, &inner_status, 0);
    shared = WEXITSTATUS(inner_status);
    _exit(shared + 1);
  }
  say("nested: %s", status_text(must_wait(child)));
  say("the inner one's status: %d", shared);
  static int loops, i; /* static: not in a frame that the child shares */
  for (i = 0; i < 200; ++i) {
    child = vfork();
    if (child == 0) _exit(i & 127);
    loops += WEXITSTATUS(must_wait(child)) == (i & 127);
  }
  say("%d of 200", loops);
  return 0;
}
