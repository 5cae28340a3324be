/* Output and names for programs of several processes or threads: a line is one write, so lines are never torn and no
 * buffer is inherited by a child. Errors and signals by name: their texts differ between libcs. */
#pragma once
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char* format, ...) __attribute__((format(printf, 1, 2), unused));
static void say(const char* format, ...) {
  char line[1024];
  va_list list;
  va_start(list, format);
  int length = vsnprintf(line, sizeof line - 1, format, list);
  va_end(list);
  if (length > (int)sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  if (write(1, line, (size_t)length) != length) _exit(99);
}

static const char* __attribute__((unused)) error_name(int error) {
#define NAME(x) \
  case x: return #x
  switch (error) {
    case 0: return "ok";
    NAME(E2BIG); NAME(EACCES); NAME(EAGAIN); NAME(EBADF); NAME(EBUSY); NAME(ECHILD); NAME(EDEADLK); NAME(EEXIST);
    NAME(EFAULT); NAME(EINTR); NAME(EINVAL); NAME(EIO); NAME(EISDIR); NAME(ELIBBAD); NAME(ELOOP); NAME(EMFILE);
    NAME(ENAMETOOLONG); NAME(ENOENT); NAME(ENOEXEC); NAME(ENOMEM); NAME(ENOSYS); NAME(ENOTDIR); NAME(ENOTRECOVERABLE);
    NAME(ENOTTY); NAME(EOWNERDEAD); NAME(EPERM); NAME(EPIPE); NAME(ESPIPE); NAME(ESRCH); NAME(ETIMEDOUT);
    NAME(ETXTBSY);
    default: {
      static char text[24];
      snprintf(text, sizeof text, "error %d", error);
      return text;
    }
  }
}

static const char* __attribute__((unused)) signal_name(int signal) {
  switch (signal) {
    case 0: return "none";
    NAME(SIGHUP); NAME(SIGINT); NAME(SIGQUIT); NAME(SIGILL); NAME(SIGTRAP); NAME(SIGABRT); NAME(SIGBUS); NAME(SIGFPE);
    NAME(SIGKILL); NAME(SIGUSR1); NAME(SIGSEGV); NAME(SIGUSR2); NAME(SIGPIPE); NAME(SIGALRM); NAME(SIGTERM);
    NAME(SIGCHLD); NAME(SIGCONT); NAME(SIGSTOP); NAME(SIGTSTP); NAME(SIGTTIN); NAME(SIGTTOU); NAME(SIGURG);
    NAME(SIGVTALRM); NAME(SIGPROF); NAME(SIGWINCH); NAME(SIGIO);
    default: {
      static char text[24];
      snprintf(text, sizeof text, "signal %d", signal);
      return text;
    }
  }
#undef NAME
}

/* What a call gave: "ok" for any value but -1, else the error's name. */
#define OUTCOME(call) ((call) == -1 ? error_name(errno) : "ok")

/* A wait status in words; two texts may be alive at once. */
static const char* __attribute__((unused)) status_text(int status) {
  static char texts[2][48];
  static int next;
  char* text = texts[next++ & 1];
  if (WIFEXITED(status)) snprintf(text, 48, "exited %d", WEXITSTATUS(status));
  else if (WIFSIGNALED(status))
    snprintf(text, 48, "killed by %s%s", signal_name(WTERMSIG(status)), WCOREDUMP(status) ? ", core" : "");
  else if (WIFSTOPPED(status)) snprintf(text, 48, "stopped by %s", signal_name(WSTOPSIG(status)));
  else if (WIFCONTINUED(status)) snprintf(text, 48, "continued");
  else snprintf(text, 48, "status %#x", status);
  return text;
}

static const char* __attribute__((unused)) cld_name(int code) {
  static const char* const names[] = {"CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED",
                                      "CLD_CONTINUED"};
  return code >= CLD_EXITED && code <= CLD_CONTINUED ? names[code - 1] : "no CLD code";
}

/* Ends the program when something went wrong that is no test's subject. */
#define MUST(condition)                                                                                   \
  do {                                                                                                    \
    if (!(condition)) {                                                                                   \
      say("line %d: %s is false (%s)", __LINE__, #condition, error_name(errno));                          \
      _exit(98);                                                                                          \
    }                                                                                                     \
  } while (0)

static pid_t __attribute__((unused)) must_fork(void) {
  const pid_t pid = fork();
  MUST(pid >= 0);
  return pid;
}

static int __attribute__((unused)) must_wait(pid_t pid) {
  int status = 0;
  pid_t got;
  while ((got = waitpid(pid, &status, 0)) == -1 && errno == EINTR) {}
  MUST(got == pid);
  return status;
}

/* A pipe to wait for another process: wait_for blocks until the other side calls tell or ends. */
struct gate {
  int fd[2];
};
static struct gate __attribute__((unused)) new_gate(void) {
  struct gate gate;
  MUST(pipe(gate.fd) == 0);
  return gate;
}
static void __attribute__((unused)) tell(struct gate gate) { MUST(write(gate.fd[1], "x", 1) == 1); }
static void __attribute__((unused)) wait_for(struct gate gate) {
  char byte;
  ssize_t got;
  while ((got = read(gate.fd[0], &byte, 1)) == -1 && errno == EINTR) {}
  MUST(got == 1);
}
static void __attribute__((unused)) drop_gate(struct gate gate) {
  close(gate.fd[0]);
  close(gate.fd[1]);
}
