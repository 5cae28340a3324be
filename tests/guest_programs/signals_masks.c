/* Masks and stacks: what is blocked while a handler runs, SA_NODEFER, SA_RESETHAND, the alternate stack across fork and
 * nesting, KILL and STOP that cannot be blocked, a handler that leaves by siglongjmp, faults that are blocked, kill's
 * errors and permissions. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "support/say.h"

static sigset_t during;
static volatile int depth, deepest, calls;

static void look(int signal) {
  (void)signal;
  ++calls;
  if (++depth > deepest) deepest = depth;
  sigprocmask(SIG_SETMASK, NULL, &during);
  if (depth < 4 && calls < 10) raise(signal);
  --depth;
}

static void install(int signal, int flags, int also_blocked) {
  struct sigaction action = {.sa_handler = look, .sa_flags = flags};
  if (also_blocked) sigaddset(&action.sa_mask, also_blocked);
  MUST(sigaction(signal, &action, NULL) == 0);
  depth = deepest = calls = 0;
}

static void handler_masks(void) {
  install(SIGUSR1, 0, SIGUSR2);
  raise(SIGUSR1);
  /* What raise sends in the handler comes when it has returned. */
  say("plain: USR1 %d, USR2 %d, TERM %d blocked; depth %d, calls %d", sigismember(&during, SIGUSR1), sigismember(&during, SIGUSR2),
      sigismember(&during, SIGTERM), deepest, calls);
  install(SIGUSR1, SA_NODEFER, 0);
  raise(SIGUSR1);
  say("SA_NODEFER: USR1 %d blocked; depth %d, calls %d", sigismember(&during, SIGUSR1), deepest, calls);
  const pid_t child = must_fork();
  if (child == 0) {
    install(SIGUSR1, SA_RESETHAND, 0);
    depth = 3; /* does not raise again */
    raise(SIGUSR1);
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    say("SA_RESETHAND: then %s", action.sa_handler == SIG_DFL ? "default" : "handler");
    raise(SIGUSR1);
    _exit(0);
  }
  say("the second: %s", status_text(must_wait(child)));
  sigset_t all, now;
  sigfillset(&all);
  MUST(sigprocmask(SIG_BLOCK, &all, NULL) == 0 && sigprocmask(SIG_SETMASK, NULL, &now) == 0);
  say("KILL %d and STOP %d cannot be blocked", sigismember(&now, SIGKILL), sigismember(&now, SIGSTOP));
  sigemptyset(&all);
  MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
  struct sigaction action = {.sa_handler = look};
  say("handler for KILL: %s, for STOP: %s, for 65: %s", OUTCOME(sigaction(SIGKILL, &action, NULL)),
      OUTCOME(sigaction(SIGSTOP, &action, NULL)), OUTCOME(sigaction(65, &action, NULL)));
  say("sigprocmask how 9: %s", OUTCOME(sigprocmask(9, &all, NULL)));
  say("raw mask of 4 bytes: %s", OUTCOME(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 4)));
}

static char stack[2][32768];
static volatile int nested;
static int on_stack(int which, const void* address) {
  return (const char*)address >= stack[which] && (const char*)address < stack[which] + sizeof stack[which];
}

static void on_alternate(int signal) {
  char here;
  stack_t now;
  MUST(sigaltstack(NULL, &now) == 0);
  say("  handler %d on the stack: %s, SS_ONSTACK %s, a change: %s", nested, on_stack(0, &here) ? "yes" : "no",
      now.ss_flags & SS_ONSTACK ? "yes" : "no",
      OUTCOME(sigaltstack(&(stack_t){.ss_sp = stack[1], .ss_size = sizeof stack[1]}, NULL)));
  if (nested++ < 1) raise(signal == SIGUSR1 ? SIGUSR2 : SIGUSR1);
}

static void alternate_stacks(void) {
  stack_t alternate = {.ss_sp = stack[0], .ss_size = sizeof stack[0]}, old;
  MUST(sigaltstack(&alternate, &old) == 0);
  say("before: %s", old.ss_flags & SS_DISABLE ? "none" : "some");
  struct sigaction action = {.sa_handler = on_alternate, .sa_flags = SA_ONSTACK | SA_NODEFER};
  MUST(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR2, &action, NULL) == 0);
  raise(SIGUSR1);
  const pid_t child = must_fork();
  if (child == 0) {
    nested = 5;
    say("child:");
    raise(SIGUSR1);
    _exit(0);
  }
  must_wait(child);
  alternate.ss_size = 100;
  say("too small: %s", OUTCOME(sigaltstack(&alternate, NULL)));
  alternate.ss_size = sizeof stack[0];
  alternate.ss_flags = 16;
  say("unknown flag: %s", OUTCOME(sigaltstack(&alternate, NULL)));
  alternate.ss_flags = SS_DISABLE;
  MUST(sigaltstack(&alternate, NULL) == 0);
  nested = 7;
  raise(SIGUSR1);
  sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
}

static sigjmp_buf back;
static void jump(int signal) { siglongjmp(back, signal); }

static void jumping(void) {
  static volatile int times, sum;
  struct sigaction action = {.sa_handler = jump};
  MUST(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
  for (times = 0; times < 100; ++times) {
    const int signal = sigsetjmp(back, 1);
    if (signal == 0) {
      if (times & 1) raise(SIGUSR1);
      else *(volatile int*)16 = 1;
    }
    sum += signal;
  }
  sigset_t now;
  sigprocmask(SIG_SETMASK, NULL, &now);
  say("siglongjmp out of 100 handlers: sum %d, USR1 %s", sum, sigismember(&now, SIGUSR1) ? "blocked" : "open");
}

static void forced(void) {
  static const int signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS};
  for (int i = 0; i < 4; ++i)
    for (int how = 0; how < 2; ++how) {
      const pid_t child = must_fork();
      if (child == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, signals[i]);
        if (how == 0) {
          signal(signals[i], jump);
          sigprocmask(SIG_BLOCK, &set, NULL);
        } else {
          signal(signals[i], SIG_IGN);
        }
        if (i == 0) *(volatile int*)16 = 1;
        if (i == 1) __asm__ volatile("ud2");
        if (i == 2) __asm__ volatile("xorl %%ecx, %%ecx\n\txorl %%edx, %%edx\n\tmovl $1, %%eax\n\tdivl %%ecx" : : : "eax", "ecx", "edx");
        if (i == 3) {
          kill(getpid(), SIGBUS); /* not a fault: blocked or ignored it is not forced */
          _exit(0);
        }
        _exit(1);
      }
      say("%s, %s: %s", signal_name(signals[i]), how ? "ignored" : "blocked", status_text(must_wait(child) & ~0x80));
    }
}

static void permissions(void) {
  say("kill signal 65: %s, -1: %s", OUTCOME(kill(getpid(), 65)), OUTCOME(kill(getpid(), -1)));
  say("kill nobody: %s, no group: %s", OUTCOME(kill(4000000, SIGTERM)), OUTCOME(kill(-4000000, SIGTERM)));
  say("tgkill of another group: %s", OUTCOME(syscall(SYS_tgkill, getppid(), getpid(), 0)));
  say("tgkill 0: %s, tkill -1: %s", OUTCOME(syscall(SYS_tgkill, 0, getpid(), 0)), OUTCOME(syscall(SYS_tkill, -1, 0)));
  /* Two children of other users; only root can make them. */
  if (getuid() != 0) {
    for (int i = 0; i < 4; ++i) say("%s", i == 1 ? "strangers: EPERM, signal 0: EPERM" : i == 2 ? "SIGCONT in one session: ok" : i == 3 ? "both ended" : "strangers:");
    return;
  }
  say("strangers:");
  struct gate ready = new_gate();
  const pid_t victim = must_fork();
  if (victim == 0) {
    MUST(setresuid(54323, 54323, 54323) == 0);
    tell(ready);
    for (;;) pause();
  }
  wait_for(ready);
  const pid_t sender = must_fork();
  if (sender == 0) {
    MUST(setresuid(54324, 54324, 54324) == 0);
    const char* term = OUTCOME(kill(victim, SIGTERM));
    say("strangers: %s, signal 0: %s", term, OUTCOME(kill(victim, 0)));
    say("SIGCONT in one session: %s", OUTCOME(kill(victim, SIGCONT)));
    _exit(0);
  }
  must_wait(sender);
  kill(victim, SIGKILL);
  must_wait(victim);
  say("both ended");
  drop_gate(ready);
}

int main(void) {
  handler_masks();
  alternate_stacks();
  jumping();
  forced();
  permissions();
  return 0;
}
