/* posix_spawn (vfork-like in glibc and musl, on a stack of its own), posix_spawnp with file actions, execvp along PATH, a
 * child that cannot be started. The program starts itself again with a word as argument. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include "support/processes.h"

static int report(int argc, char** argv) {
  printf("%s:", argv[1]);
  for (int i = 2; i < argc; ++i) printf(" %s", argv[i]);
  printf("\n");
  return argc;
}

int main(int argc, char** argv) {
  if (argc > 1) return report(argc, argv);
  char* environment[] = {"A=1", 0};
  char* plain[] = {argv[0], "plain", "one", 0};
  pid_t pid;
  int error = posix_spawn(&pid, argv[0], 0, 0, plain, environment);
  if (error) put_line("no child", error);
  wait_for(pid);
  put_line("faults", wait_usage[8]);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t mask;
  int fds[2];
  if (pipe(fds) != 0) put("pipe failed\n");
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
  posix_spawn_file_actions_addclose(&actions, fds[0]);
  posix_spawn_file_actions_addclose(&actions, fds[1]);
  posix_spawnattr_init(&attributes);
  sigemptyset(&mask);
  posix_spawnattr_setsigmask(&attributes, &mask);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  char* piped[] = {argv[0], "piped", "two", "words", 0};
  error = posix_spawn(&pid, argv[0], &actions, &attributes, piped, environment);
  if (error) put_line("no child", error);
  close(fds[1]);
  char text[100];
  const long n = read(fds[0], text, sizeof text);
  wait_for(pid);
  put_line("faults", wait_usage[8]);
  put_line("read", n);
  raw3(kSysWrite, 1, (long)text, n);

  put_line("absent", posix_spawn(&pid, "/nonexistent/program", 0, 0, plain, environment));

  /* Along PATH: the first folder has no such program. */
  char path[300];
  const char* slash = strrchr(argv[0], '/');
  snprintf(path, sizeof path, "PATH=/nonexistent:%.*s", slash ? (int)(slash - argv[0]) : 1, slash ? argv[0] : ".");
  putenv(path);
  char* found[] = {argv[0], "found", 0};
  error = posix_spawnp(&pid, slash ? slash + 1 : argv[0], 0, 0, found, environment);
  if (error) put_line("no child", error);
  wait_for(pid);
  put_line("faults", wait_usage[8]);
  pid = fork();
  if (pid == 0) {
    nap();
    execvp(slash ? slash + 1 : argv[0], found);
    _exit(127);
  }
  wait_for(pid);
  put_line("faults", wait_usage[8]);
  return 0;
}
