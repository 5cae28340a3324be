/* A6, C1 and A2 in an execve: what it reads of the old image while the strings are copied counts, and so do the pages of the
 * new stack; whether it succeeds or not. The strings lie in untouched windows of read-only data and in untouched heap
 * pages. The program starts itself again with a number as first argument. */
#define _GNU_SOURCE
#include "support/processes.h"

/* Pages apart by more than a window of fault-around. */
static const char literals[4][20 * PAGE] __attribute__((aligned(4096))) = {{0}, "first", "second", "V=third"};
static const char far_path[20 * PAGE] __attribute__((aligned(4096))) = "/nonexistent/program";

static NOINLINE void start(const char* path, char* const* argv, char* const* envp) {
  execve(path, argv, envp);
  put_line("execve failed", errno);
}

int main(int argc, char** argv) {
  if (argc > 1) {
    put_line("arguments", argc);
    return 0;
  }
  char** const vectors = (char**)map_anon(4);
  char** const envp = vectors + PAGE / sizeof *vectors;
  for (int which = 0; which < 5; ++which) {
    const pid_t pid = fork();
    if (pid == 0) {
      nap();
      vectors[0] = argv[0];
      vectors[1] = "2";
      switch (which) {
        case 0: /* literals that nobody has read yet */
          vectors[1] = (char*)literals[1];
          vectors[2] = (char*)literals[2];
          envp[0] = (char*)literals[3];
          start(argv[0], vectors, envp);
          break;
        case 1: /* fails, then succeeds: the path is read, the strings not before the file is there */
          vectors[1] = (char*)literals[1];
          start(far_path, vectors, envp);
          start(argv[0], vectors, envp);
          break;
        case 2: { /* arguments of several pages, in a private file's heap pages that were never touched */
          char* const text = map_anon(20);
          for (int i = 0; i < 5; ++i) {
            for (unsigned n = 0; n < 3 * PAGE + 100; n += 4) *(int*)(text + i * 4 * PAGE + n) = 0x61616161;
            vectors[i + 1] = text + i * 4 * PAGE;
          }
          start(argv[0], vectors, envp);
          break;
        }
        case 3: /* no environment, no vectors at all, then an argument that is not there: EFAULT after some were read */
          vectors[2] = (char*)PAGE;
          vectors[1] = (char*)literals[1];
          start(argv[0], vectors, 0);
          vectors[2] = 0;
          start(argv[0], vectors, 0);
          break;
        case 4: /* empty strings in untouched anonymous pages: zero pages */
          vectors[1] = map_anon(3);
          vectors[2] = vectors[1] + PAGE;
          envp[0] = vectors[1] + 2 * PAGE;
          start(argv[0], vectors, envp);
          break;
      }
      _exit(1);
    }
    wait_for(pid);
    put_line("child", wait_usage[8]);
  }
  return 0;
}
