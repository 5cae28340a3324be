/* clone and clone3 with raw flags: what is shared and what is not, the words that the kernel writes, the futex wake at
 * exit, whose child the new task is, which signal its end sends, and combinations that are refused. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "support/guest.h"
#include "support/say.h"

/* Not in every libc's headers. */
enum { kFutexWait = 0 };
#define CLONE_PIDFD_ 0x1000
#define CLONE_CLEAR_SIGHAND_ 0x100000000ull
#define CLONE_INTO_CGROUP_ 0x200000000ull
#define WCLONE 0x80000000
#define WALL 0x40000000
struct clone_args_v2 {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static char stacks[2][65536] __attribute__((aligned(16)));
static volatile int shared, tid_words[4];

static void nap(long ms) {
  struct timespec t = {0, ms * 1000000};
  nanosleep(&t, NULL);
}

/* A task on its own stack that runs `body` and exits; without CLONE_VM the stack is a copy. */
struct task {
  int (*body)(void*);
  void* argument;
  unsigned long flags;
  volatile int* parent_tid;
  volatile int* child_tid;
  char* stack;
};

static long start(struct task task) {
  long result;
  char* stack = task.stack ? task.stack : stacks[0] + sizeof stacks[0];
  stack -= 32;
  ((void**)stack)[0] = task.argument;
  ((void**)stack)[1] = (void*)task.body;
  __asm__ volatile(
      "movl $120, %%eax\n\tint $0x80\n\t"
      "testl %%eax, %%eax\n\tjnz 1f\n\t"
      "popl %%eax\n\tpopl %%ecx\n\tsubl $4, %%esp\n\tpushl %%eax\n\tcall *%%ecx\n\t"
      "movl %%eax, %%ebx\n\tmovl $1, %%eax\n\tint $0x80\n\thlt\n"
      "1:"
      : "=&a"(result)
      : "b"(task.flags), "c"(stack), "d"(task.parent_tid), "S"(0), "D"(task.child_tid)
      : "memory", "cc");
  if (result < 0) {
    errno = (int)-result;
    return -1;
  }
  return result;
}

/* Waits without the libc: tid or -1. */
static int reap(pid_t pid, int options) {
  int status = 0;
  long got;
  do got = raw6(114, pid, (long)&status, options, 0, 0, 0);
  while (got == -EINTR);
  if (got < 0) {
    errno = (int)-got;
    return -1;
  }
  return status;
}

static int set_shared(void* value) {
  shared = (int)(long)value;
  return 3;
}
static int nothing(void* code) { return (int)(long)code; }

static void memory(void) {
  shared = 0;
  pid_t pid = start((struct task){.body = set_shared, .argument = (void*)5, .flags = CLONE_VM | SIGCHLD});
  MUST(pid > 0);
  say("CLONE_VM: %s", status_text(reap(pid, 0)));
  say("  shared %d", shared);
  shared = 0;
  pid = start((struct task){.body = set_shared, .argument = (void*)6, .flags = SIGCHLD});
  MUST(pid > 0);
  say("without: %s", status_text(reap(pid, 0)));
  say("  shared %d", shared);
}

static int opens_and_moves(void* argument) {
  (void)argument;
  raw3(6, 0, 0, 0);                              /* close(0) */
  raw3(12, (long)"/proc", 0, 0);                 /* chdir */
  raw3(60, 0123, 0, 0);                          /* umask */
  return 0;
}

static void files_and_fs(void) {
  static const unsigned long kinds[] = {0, CLONE_FILES, CLONE_FS, CLONE_FILES | CLONE_FS};
  static const char* const names[] = {"neither", "CLONE_FILES", "CLONE_FS", "both"};
  for (int i = 0; i < 4; ++i) {
    const pid_t outer = must_fork();
    if (outer == 0) {
      umask(022);
      MUST(chdir("/") == 0);
      const pid_t pid = start((struct task){.body = opens_and_moves, .flags = kinds[i] | SIGCHLD});
      MUST(pid > 0 && reap(pid, 0) == 0);
      char cwd[128];
      const mode_t mask = umask(0);
      const int descriptor = fcntl(0, F_GETFD);
      say("%s: descriptor 0 %s, folder %s, umask %03o", names[i], descriptor == -1 ? "closed" : "open",
          getcwd(cwd, sizeof cwd), mask);
      _exit(0);
    }
    must_wait(outer);
  }
}

static void handler(int signal) { (void)signal; }
static int ignores_usr1(void* argument) {
  (void)argument;
  struct sigaction action = {.sa_handler = SIG_IGN};
  return sigaction(SIGUSR1, &action, NULL) == 0 ? 0 : 1;
}

static void handlers(void) {
  for (int i = 0; i < 2; ++i) {
    signal(SIGUSR1, handler);
    const pid_t pid = start((struct task){.body = ignores_usr1, .flags = CLONE_VM | (i ? CLONE_SIGHAND : 0) | SIGCHLD});
    MUST(pid > 0 && reap(pid, 0) == 0);
    struct sigaction action;
    MUST(sigaction(SIGUSR1, NULL, &action) == 0);
    say("%s: handler %s", i ? "CLONE_SIGHAND" : "without", action.sa_handler == SIG_IGN ? "changed" : "kept");
  }
  /* CLONE_CLEAR_SIGHAND is clone3's, see below. */
}

static int sees_words(void* argument) {
  (void)argument;
  return tid_words[1] == raw3(224, 0, 0, 0) ? 11 : 12; /* CHILD_SETTID is written before user mode */
}

static int exits_later(void* argument) {
  (void)argument;
  nap(40);
  return 0;
}

static void tid_writes(void) {
  tid_words[0] = tid_words[1] = -1;
  pid_t pid = start((struct task){.body = sees_words, .flags = CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD,
                                  .parent_tid = &tid_words[0], .child_tid = &tid_words[1]});
  MUST(pid > 0);
  say("PARENT_SETTID: %s", tid_words[0] == pid ? "written" : "not written");
  say("CHILD_SETTID: %s", status_text(reap(pid, 0)));
  /* Without shared memory only the child sees its word. */
  tid_words[1] = -1;
  pid = start((struct task){.body = sees_words, .flags = CLONE_CHILD_SETTID | SIGCHLD, .child_tid = &tid_words[1]});
  MUST(pid > 0);
  say("CHILD_SETTID in a copy: %s", status_text(reap(pid, 0)));
  say("  ours %d", tid_words[1]);
  tid_words[2] = 77;
  pid = start((struct task){.body = exits_later, .flags = CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD,
                            .child_tid = &tid_words[2]});
  MUST(pid > 0);
  const long slept = raw6(240, (long)&tid_words[2], kFutexWait, 77, 0, 0, 0);
  say("CHILD_CLEARTID: futex %s, word %d", slept == 0 ? "woken" : error_name((int)-slept), tid_words[2]);
  reap(pid, 0);
  /* Bad addresses are no error. */
  pid = start((struct task){.body = nothing, .argument = (void*)1, .parent_tid = (volatile int*)8,
                            .child_tid = (volatile int*)8,
                            .flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD});
  say("bad addresses: %s", pid > 0 ? status_text(reap(pid, 0)) : error_name(errno));
}

static volatile sig_atomic_t seen_signal, seen_pid;
static void note(int signal, siginfo_t* info, void* context) {
  (void)context;
  seen_signal = signal;
  seen_pid = info->si_pid;
}

static void exit_signals(void) {
  struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
  MUST(sigaction(SIGUSR2, &action, NULL) == 0 && sigaction(SIGCHLD, &action, NULL) == 0);
  seen_signal = 0;
  pid_t pid = start((struct task){.body = nothing, .argument = (void*)2, .flags = SIGUSR2});
  MUST(pid > 0);
  say("exit signal SIGUSR2: wait4 %s", OUTCOME(reap(pid, 0)));
  say("  with __WCLONE: %s", status_text(reap(pid, WCLONE)));
  say("  got %s, from %s", signal_name(seen_signal), seen_pid == pid ? "it" : "another");
  seen_signal = 0;
  pid = start((struct task){.body = nothing, .argument = (void*)3, .flags = 0});
  MUST(pid > 0);
  say("no exit signal: %s", status_text(reap(pid, WALL)));
  say("  got %s", signal_name(seen_signal));
  pid = start((struct task){.body = nothing, .argument = (void*)4, .flags = SIGCHLD});
  MUST(pid > 0);
  say("SIGCHLD child with __WCLONE: %s", OUTCOME(reap(pid, WCLONE)));
  say("  with __WALL: %s", status_text(reap(pid, WALL)));
  say("  got %s", signal_name(seen_signal));
  say("exit signal 100: %s", start((struct task){.body = nothing, .flags = 100}) == -1 ? error_name(errno) : "made");
  signal(SIGCHLD, SIG_DFL);
  signal(SIGUSR2, SIG_DFL);
  while (reap(-1, WALL) != -1) {}
}

static int parent_is(void* pid) { return raw3(64, 0, 0, 0) == (long)pid ? 21 : 22; }

static void parents(void) {
  struct gate gate = new_gate();
  const pid_t ours = getpid(), middle = must_fork();
  if (middle == 0) {
    const pid_t pid = start((struct task){.body = parent_is, .argument = (void*)(long)ours, .flags = CLONE_PARENT | SIGCHLD});
    MUST(pid > 0 && write(gate.fd[1], &pid, sizeof pid) == sizeof pid);
    say("CLONE_PARENT: not my child: %s", OUTCOME(reap(pid, 0)));
    _exit(0);
  }
  pid_t sibling;
  MUST(read(gate.fd[0], &sibling, sizeof sibling) == sizeof sibling);
  must_wait(middle);
  say("the sibling: %s", status_text(reap(sibling, WALL)));
  drop_gate(gate);
}

static void refused(void) {
  static const struct {
    const char* name;
    unsigned long flags;
  } cases[] = {
      {"SIGHAND without VM", CLONE_SIGHAND | SIGCHLD},
      {"THREAD without SIGHAND", CLONE_THREAD | CLONE_VM | SIGCHLD},
      {"FS with NEWNS", CLONE_FS | CLONE_NEWNS | SIGCHLD},
      {"THREAD, SIGHAND without VM", CLONE_THREAD | CLONE_SIGHAND},
      {"PIDFD with DETACHED", CLONE_PIDFD_ | CLONE_DETACHED | SIGCHLD},
      {"PIDFD with PARENT_SETTID", CLONE_PIDFD_ | CLONE_PARENT_SETTID | SIGCHLD},
  };
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    const long pid = start((struct task){.body = nothing, .flags = cases[i].flags, .parent_tid = &tid_words[3]});
    say("%s: %s", cases[i].name, pid == -1 ? error_name(errno) : "made");
    if (pid > 0) reap(pid, WALL);
  }
}

static long clone3(void* args, size_t size) {
  const long result = raw3(435, (long)args, (long)size, 0);
  if (result >= 0) return result;
  errno = (int)-result;
  return -1;
}

static void with_clone3(void) {
  struct clone_args_v2 args = {.exit_signal = SIGCHLD};
  say("clone3, size 0: %s", OUTCOME(clone3(&args, 0)));
  say("size 63: %s", OUTCOME(clone3(&args, 63)));
  say("size above a page: %s", OUTCOME(clone3(&args, 4097)));
  say("bad address: %s", OUTCOME(clone3((void*)8, 64)));
  char long_args[128] = {0};
  long_args[120] = 1;
  say("unknown tail: %s", OUTCOME(clone3(long_args, sizeof long_args)));
  args.flags = 0xff;
  say("signal in the flags: %s", OUTCOME(clone3(&args, sizeof args)));
  args = (struct clone_args_v2){.exit_signal = 65};
  say("exit signal 65: %s", OUTCOME(clone3(&args, sizeof args)));
  args = (struct clone_args_v2){.exit_signal = SIGCHLD, .stack = (uintptr_t)stacks[1]};
  say("stack without size: %s", OUTCOME(clone3(&args, sizeof args)));
  args = (struct clone_args_v2){.exit_signal = SIGCHLD, .stack_size = 4096};
  say("size without stack: %s", OUTCOME(clone3(&args, sizeof args)));
  args = (struct clone_args_v2){.exit_signal = SIGCHLD, .flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM};
  say("thread with an exit signal: %s", OUTCOME(clone3(&args, sizeof args)));
  args = (struct clone_args_v2){.exit_signal = SIGCHLD, .flags = CLONE_DETACHED};
  say("CLONE_DETACHED: %s", OUTCOME(clone3(&args, sizeof args)));
  args = (struct clone_args_v2){.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&args};
  say("set_tid without size: %s", OUTCOME(clone3(&args, sizeof args)));
  args = (struct clone_args_v2){.exit_signal = SIGCHLD, .flags = CLONE_INTO_CGROUP_, .cgroup = 0x100000000};
  say("cgroup: %s", OUTCOME(clone3(&args, sizeof args)));
  signal(SIGUSR1, handler);
  signal(SIGUSR2, SIG_IGN);
  args = (struct clone_args_v2){.exit_signal = SIGCHLD, .flags = CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND_};
  say("SIGHAND and CLEAR_SIGHAND: %s", OUTCOME(clone3(&args, sizeof args)));
  volatile int parent_word = -1;
  args = (struct clone_args_v2){.exit_signal = SIGCHLD, .flags = CLONE_CLEAR_SIGHAND_ | CLONE_PARENT_SETTID,
                             .parent_tid = (uintptr_t)&parent_word};
  const long pid = clone3(&args, sizeof args);
  MUST(pid >= 0);
  if (pid == 0) {
    struct sigaction one, two;
    raw6(174, SIGUSR1, 0, (long)&one, 8, 0, 0);
    raw6(174, SIGUSR2, 0, (long)&two, 8, 0, 0);
    raw3(1, (one.sa_handler == SIG_DFL) + 2 * (two.sa_handler == SIG_IGN), 0, 0);
  }
  say("CLEAR_SIGHAND: %s", status_text(reap(pid, 0)));
  say("  parent's word %s", parent_word == pid ? "written" : "not written");
}

int main(void) {
  memory();
  files_and_fs();
  handlers();
  tid_writes();
  exit_signals();
  parents();
  refused();
  with_clone3();
  return 0;
}
