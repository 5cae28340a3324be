/* execve: what a new program keeps (pid, ignored signals, the mask, pending signals, timers, limits, folder) and what it
 * loses (handlers, the alternate stack, threads' things, close-on-exec descriptors); the errors, after each of which the
 * caller goes on; scripts; execveat; exec by a vfork child.
 *
 * With the argument "show ..." it is the program that is started. Argument: a folder to write into. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "support/say.h"

static char self[PATH_MAX];
extern char** environ;

static int show(int argc, char** argv) {
  const char* what = argv[2];
  if (!strcmp(what, "arguments")) {
    for (int i = 0; i < argc; ++i) say("  argument %d: %s", i, i == 0 && !strcmp(argv[0], self) ? "the program" : argv[i]);
    for (char** e = environ; *e; ++e) say("  environment: %s", *e);
  } else if (!strcmp(what, "signals")) {
    static const int asked[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGCHLD, SIGHUP};
    for (unsigned i = 0; i < 5; ++i) {
      struct sigaction action;
      MUST(sigaction(asked[i], NULL, &action) == 0);
      say("  %s: %s", signal_name(asked[i]),
          action.sa_handler == SIG_DFL ? "default" : action.sa_handler == SIG_IGN ? "ignored" : "handler");
    }
    sigset_t mask, pending;
    MUST(sigprocmask(SIG_SETMASK, NULL, &mask) == 0 && sigpending(&pending) == 0);
    say("  blocked: SIGALRM %d, SIGHUP %d, SIGUSR1 %d", sigismember(&mask, SIGALRM), sigismember(&mask, SIGHUP),
        sigismember(&mask, SIGUSR1));
    say("  pending: SIGHUP %d, SIGUSR1 %d", sigismember(&pending, SIGHUP), sigismember(&pending, SIGUSR1));
    stack_t stack;
    MUST(sigaltstack(NULL, &stack) == 0);
    say("  alternate stack: %s", stack.ss_flags & SS_DISABLE ? "none" : "set");
    struct itimerval timer;
    MUST(getitimer(ITIMER_REAL, &timer) == 0);
    say("  timer: %s", timer.it_value.tv_sec > 50 ? "runs" : "none");
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    say("  RLIMIT_NOFILE: %d", (int)limit.rlim_cur);
    char name[17] = "";
    int death = -1;
    MUST(prctl(PR_GET_NAME, name) == 0 && prctl(PR_GET_PDEATHSIG, &death) == 0);
    say("  name: %s, parent's death: %s, dumpable %d", name, signal_name(death), prctl(PR_GET_DUMPABLE));
    char cwd[PATH_MAX];
    say("  pid %s, folder %s", atoi(argv[3]) == getpid() ? "kept" : "changed", getcwd(cwd, sizeof cwd));
    say("  umask %03o", umask(0));
  } else if (!strcmp(what, "descriptors")) {
    for (int fd = 3; fd < 12; ++fd) {
      const int flags = fcntl(fd, F_GETFD);
      if (flags != -1) say("  descriptor %d: flags %d, offset %d", fd, flags, (int)lseek(fd, 0, SEEK_CUR));
    }
  } else if (!strcmp(what, "exe")) {
    char path[PATH_MAX] = "";
    MUST(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
    say("  exe: %s", strcmp(path, self) == 0 ? "the program" : path);
  }
  return 7;
}

static int run(char* const argv[], char* const envp[]) {
  const pid_t pid = must_fork();
  if (pid == 0) {
    execve(self, argv, envp);
    say("execve: %s", error_name(errno));
    _exit(1);
  }
  return must_wait(pid);
}

static void handler(int signal) { (void)signal; }

static void kept_and_lost(const char* folder) {
  const pid_t pid = must_fork();
  if (pid == 0) {
    static char stack[16384];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    MUST(sigaltstack(&alternate, NULL) == 0);
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGHUP, handler);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGALRM);
    sigaddset(&mask, SIGHUP);
    MUST(sigprocmask(SIG_BLOCK, &mask, NULL) == 0);
    raise(SIGHUP);
    const struct itimerval timer = {.it_value = {.tv_sec = 100}};
    const struct rlimit limit = {50, 60};
    MUST(setitimer(ITIMER_REAL, &timer, NULL) == 0 && setrlimit(RLIMIT_NOFILE, &limit) == 0);
    MUST(prctl(PR_SET_NAME, "old name") == 0 && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && chdir("/") == 0);
    (void)folder;
    umask(027);
    char number[16];
    snprintf(number, sizeof number, "%d", (int)getpid());
    char* const argv[] = {self, "show", "signals", number, NULL};
    char* const envp[] = {NULL};
    execve("/proc/self/exe", argv, envp);
    _exit(1);
  }
  say("kept and lost: %s", status_text(must_wait(pid)));
}

static void descriptors(void) {
  const pid_t pid = must_fork();
  if (pid == 0) {
    for (int fd = 3; fd < 20; ++fd) close(fd);
    MUST(open(self, O_RDONLY) == 3 && open(self, O_RDONLY | O_CLOEXEC) == 4 && open(self, O_RDONLY) == 5);
    MUST(fcntl(5, F_SETFD, FD_CLOEXEC) == 0 && dup(4) == 6 && fcntl(3, F_DUPFD_CLOEXEC, 7) == 7 && dup2(3, 8) == 8);
    MUST(dup3(3, 9, O_CLOEXEC) == 9 && lseek(3, 100, SEEK_SET) == 100 && lseek(4, 40, SEEK_SET) == 40);
    char* const argv[] = {self, "show", "descriptors", NULL};
    char* const envp[] = {NULL};
    execve(self, argv, envp);
    _exit(1);
  }
  say("descriptors: %s", status_text(must_wait(pid)));
}

static void write_file(const char* path, const char* text, mode_t mode) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0);
  close(fd);
}

static void failures(void) {
  char* const argv[] = {"x", NULL};
  char* const envp[] = {NULL};
  static char long_name[5000];
  static char* volatile nowhere = (char*)8; /* volatile: the compiler warns of what is meant here */
  memset(long_name, 'a', sizeof long_name - 1);
  say("missing: %s", OUTCOME(execve("missing", argv, envp)));
  say("empty name: %s", OUTCOME(execve("", argv, envp)));
  say("a folder: %s", OUTCOME(execve(".", argv, envp)));
  say("through a file: %s", OUTCOME(execve("plain/x", argv, envp)));
  say("long name: %s", OUTCOME(execve(long_name, argv, envp)));
  say("bad address: %s", OUTCOME(execve(nowhere, argv, envp)));
  say("bad argument list: %s", OUTCOME(execve(self, (char**)nowhere, envp)));
  char* const bad[] = {nowhere, NULL};
  say("bad argument: %s", OUTCOME(execve(self, bad, envp)));
  say("bad environment: %s", OUTCOME(execve(self, argv, bad)));
  say("no execute right: %s", OUTCOME(execve("plain", argv, envp)));
  say("text: %s", OUTCOME(execve("text", argv, envp)));
  say("empty: %s", OUTCOME(execve("empty", argv, envp)));
  say("half an ELF header: %s", OUTCOME(execve("half", argv, envp)));
  say("script without interpreter: %s", OUTCOME(execve("no_interpreter", argv, envp)));
  say("script with an empty line: %s", OUTCOME(execve("empty_line", argv, envp)));
  say("script that names itself: %s", OUTCOME(execve("itself", argv, envp)));
  say("a loop of links: %s", OUTCOME(execve("link_loop", argv, envp)));
  const int fd = open("program", O_RDWR);
  MUST(fd >= 0);
  say("open for writing: %s", OUTCOME(execve("program", argv, envp)));
  close(fd);
  say("after the close: %s", OUTCOME(execve("program", argv, envp)));
  say("writing to a program that runs: %s", OUTCOME(open(self, O_WRONLY)));
  say("truncating it: %s", OUTCOME(truncate(self, 0)));
  /* Strings may take a quarter of the stack's limit, one string 128 KiB. */
  static char* many[20000];
  char* string = malloc(200 * 1024);
  MUST(string != NULL);
  memset(string, 'b', 128 * 1024);
  string[128 * 1024 - 1] = 0;
  const struct rlimit limit = {1024 * 1024, RLIM_INFINITY};
  struct rlimit old;
  MUST(getrlimit(RLIMIT_STACK, &old) == 0 && setrlimit(RLIMIT_STACK, &limit) == 0);
  for (int i = 0; i < 3; ++i) many[i] = string;
  say("too much text: %s", OUTCOME(execve(self, many, envp)));
  many[1] = NULL;
  string[128 * 1024 - 1] = 'b';
  string[128 * 1024] = 0;
  say("a string that is too long: %s", OUTCOME(execve(self, many, envp)));
  MUST(setrlimit(RLIMIT_STACK, &old) == 0);
  free(string);
  say("execveat bad descriptor: %s", OUTCOME(syscall(SYS_execveat, 99, "plain", argv, envp, 0)));
  say("execveat bad flag: %s", OUTCOME(syscall(SYS_execveat, AT_FDCWD, "plain", argv, envp, 1)));
  say("execveat empty path: %s", OUTCOME(syscall(SYS_execveat, AT_FDCWD, "", argv, envp, 0)));
  say("execveat link not followed: %s",
      OUTCOME(syscall(SYS_execveat, AT_FDCWD, "link_loop", argv, envp, AT_SYMLINK_NOFOLLOW)));
  /* And we are as we were. */
  struct sigaction action;
  MUST(sigaction(SIGUSR1, NULL, &action) == 0);
  say("after all that: handler %s, heap %s", action.sa_handler == handler ? "kept" : "lost", malloc(100) ? "works" : "broken");
}

static void scripts(void) {
  char text[PATH_MAX + 64];
  snprintf(text, sizeof text, "#!%s show arguments\n", self);
  write_file("script_two", text, 0755); /* one optional argument: "show arguments" */
  snprintf(text, sizeof text, "#! \t%s\t show  \nrest\n", self);
  write_file("script_show", text, 0755);
  static char* const names[] = {"script_show", "./script_show"};
  for (int i = 0; i < 2; ++i) {
    const pid_t pid = must_fork();
    if (pid == 0) {
      char* const argv[] = {"argv0", "one", "two", NULL};
      char* const envp[] = {"E=1", NULL};
      execve(names[i], argv, envp);
      _exit(1);
    }
    say("script %s: %s", names[i], status_text(must_wait(pid)));
  }
}

static void variants(void) {
  char* const argv[] = {"", "show", "exe", NULL};
  char* const envp[] = {NULL};
  const pid_t by_descriptor = must_fork();
  if (by_descriptor == 0) {
    const int fd = open(self, O_RDONLY | O_CLOEXEC);
    syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
    _exit(1);
  }
  say("execveat by descriptor: %s", status_text(must_wait(by_descriptor)));
  const pid_t by_folder = must_fork();
  if (by_folder == 0) {
    const int fd = open(".", O_RDONLY | O_DIRECTORY);
    syscall(SYS_execveat, fd, "linked", argv, envp, 0);
    _exit(1);
  }
  say("execveat by folder, through a link: %s", status_text(must_wait(by_folder)));
  const pid_t by_vfork = vfork();
  if (by_vfork == 0) {
    execve(self, argv, envp);
    _exit(1);
  }
  say("exec by a vfork child: %s", status_text(must_wait(by_vfork)));
  char* const arguments[] = {self, "show", "arguments", "", "a b", NULL};
  char* const environment[] = {"A=1", "EMPTY=", "no equals sign", NULL};
  say("arguments: %s", status_text(run(arguments, environment)));
  /* Memory that the old program had is gone, a shared file mapping's file is not. */
  const pid_t chain = must_fork();
  if (chain == 0) {
    void* memory = mmap((void*)0x30000000, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    MUST(memory != MAP_FAILED);
    memset(memory, 1, 1 << 20);
    char* const again[] = {self, "mapped", NULL};
    execve(self, again, envp);
    _exit(1);
  }
  say("old memory: %s", status_text(must_wait(chain)));
}

int main(int argc, char** argv) {
  MUST(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  if (argc > 2 && !strcmp(argv[1], "show")) {
    /* As an interpreter it is given the script's name and the script's arguments. */
    if (!strcmp(argv[2], "script_show") || !strcmp(argv[2], "./script_show")) {
      for (int i = 1; i < argc; ++i) say("  argument %d: %s", i, argv[i]);
      return 9;
    }
    return show(argc, argv);
  }
  if (argc == 2 && !strcmp(argv[1], "mapped")) {
    unsigned char present;
    return syscall(SYS_mincore, 0x30000000, 4096, &present) == -1 ? errno : 0;
  }
  MUST(argc == 2 && chdir(argv[1]) == 0);
  write_file("plain", "not to be run\n", 0644);
  write_file("text", "just text\n", 0755);
  write_file("empty", "", 0755);
  write_file("half", "\177ELF\1\1\1", 0755);
  write_file("no_interpreter", "#!/nonexistent/program x\n", 0755);
  write_file("empty_line", "#!\n", 0755);
  write_file("itself", "#!itself\n", 0755);
  write_file("program", "#!missing\n", 0755);
  unlink("link_loop");
  unlink("linked");
  MUST(symlink("link_loop", "link_loop") == 0 && symlink(self, "linked") == 0);
  signal(SIGUSR1, handler);
  kept_and_lost(argv[1]);
  descriptors();
  failures();
  scripts();
  variants();
  return 0;
}
