/* execve by a thread that is not the first: the others end, the process keeps its number and its counts. And a process whose
 * first thread leaves before the others. The program starts itself again with an argument. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/syscall.h>
#include "support/processes.h"

static char** arguments;
static struct turn turn;

static void* wait_for_ever(void* argument) {
  await_turn(&turn);
  return argument;
}
static void* starts(void* argument) {
  nap();
  write_pages(argument, 0, 8);
  char* const again[] = {arguments[0], "again", 0};
  char* const environment[] = {"A=1", 0};
  execve(arguments[0], again, environment);
  return 0;
}
static void* outlives(void* argument) {
  nap();
  write_pages(argument, 8, 16);
  long usage[18];
  raw3(kSysGetrusage, RUSAGE_SELF, (long)usage, 0);
  put_line("the last thread", usage[8]);
  exit(5);
}

int main(int argc, char** argv) {
  if (argc > 1) {
    long usage[18];
    raw3(kSysGetrusage, RUSAGE_SELF, (long)usage, 0);
    put_line("after exec", usage[8]);
    put(getpid() == (pid_t)raw3(SYS_gettid, 0, 0, 0) ? "the only thread\n" : "another thread\n");
    return 6;
  }
  arguments = argv;
  make_turn(&turn);
  char* area = map_anon(16);
  pid_t pid = fork();
  if (pid == 0) {
    pthread_t threads[2];
    pthread_create(&threads[0], 0, wait_for_ever, 0);
    pthread_create(&threads[1], 0, starts, area);
    pthread_join(threads[0], 0);
  }
  wait_for(pid);
  put_line("faults", wait_usage[8]);
  pid = fork();
  if (pid == 0) {
    pthread_t thread;
    pthread_create(&thread, 0, outlives, area);
    pthread_exit(0);
  }
  wait_for(pid);
  put_line("faults", wait_usage[8]);
  return 0;
}
