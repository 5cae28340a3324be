/* fork and exec: children that execute this same program, which then exits at once. Arguments: how many (500), and
 * "vfork" to start them with that. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc == 1) return 9;
  const unsigned count = strtoul(argv[1], 0, 10);
  char* const child_argv[] = {argv[0], 0};
  char* const child_envp[] = {0};
  unsigned good = 0;
  for (unsigned i = 0; i < count; ++i) {
    const pid_t child = argc > 2 ? vfork() : fork();
    if (child == 0) {
      execve(argv[0], child_argv, child_envp);
      _exit(1);
    }
    int status = 0;
    good += waitpid(child, &status, 0) == child && status == 9 << 8;
  }
  printf("%u\n", good);
  return 0;
}
