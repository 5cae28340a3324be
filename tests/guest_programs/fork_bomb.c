/* A fork bomb that RLIMIT_NPROC stops: every process forks until it may not, and all live until the bomb is defused.
 * How many there are is exact; how they are related is not, and is not printed. Argument: the limit (30).
 *
 * Root may have any number of processes, so root becomes a user of whom nobody else has one. */
#define _GNU_SOURCE
#include <sys/resource.h>

#include "support/say.h"

int main(int argc, char** argv) {
  const int limit = argc > 1 ? atoi(argv[1]) : 30;
  MUST(limit > 0 && limit <= 500);
  if (getuid() == 0) MUST(setresgid(54325, 54325, 54325) == 0 && setresuid(54325, 54325, 54325) == 0);
  MUST(getuid() != 0);
  const struct rlimit most = {(rlim_t)limit, (rlim_t)limit};
  MUST(setrlimit(RLIMIT_NPROC, &most) == 0);
  struct gate alive = new_gate(), defused = new_gate();
  for (int generation = 0; generation < 3; ++generation) {
    int children = 0, error = 0;
    const pid_t bomb = getpid();
    for (;;) {
      const pid_t pid = fork();
      if (pid > 0) {
        ++children;
      } else if (pid == 0) {
        children = 0;
        tell(alive);
      } else {
        error = errno;
        break;
      }
    }
    if (getpid() != bomb) {
      /* Told that it is over by the end of the pipe's last writer; reaps its own and goes. */
      close(defused.fd[1]);
      char byte;
      const ssize_t got = read(defused.fd[0], &byte, 1);
      while (wait(NULL) > 0) {}
      _exit(error == EAGAIN && got == 0 ? 0 : 1);
    }
    int others = 0, bad = 0, status;
    for (char byte; others < limit - 1 && read(alive.fd[0], &byte, 1) == 1;) ++others;
    say("generation %d: %d processes, then %s; one more: %s", generation, others + 1, error_name(error),
        OUTCOME(fork()));
    close(defused.fd[1]);
    while (wait(&status) > 0) bad += status != 0;
    close(defused.fd[0]);
    MUST(pipe(defused.fd) == 0);
    say("defused, %d ended badly", bad);
  }
  return 0;
}
