/* Switching between two tasks on one processor: "pipe", two processes that send a byte to and fro; "futex", two threads
 * that wake each other. Arguments: which, rounds (each two switches). */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned rounds;
static volatile int turn;

static void wait_for_turn(int mine) {
  while (turn != mine) syscall(240 /* futex */, &turn, 0 /* FUTEX_WAIT */, !mine, NULL, NULL, 0);
}
static void pass_turn(int to) {
  turn = to;
  syscall(240, &turn, 1 /* FUTEX_WAKE */, 1, NULL, NULL, 0);
}
static void* second(void* done) {
  for (unsigned i = 0; i < rounds; ++i) {
    wait_for_turn(1);
    ++*(unsigned*)done;
    pass_turn(0);
  }
  return NULL;
}

static unsigned by_futex(void) {
  unsigned done = 0;
  pthread_t thread;
  if (pthread_create(&thread, NULL, second, &done) != 0) return 0;
  for (unsigned i = 0; i < rounds; ++i) {
    pass_turn(1);
    wait_for_turn(0);
  }
  pthread_join(thread, NULL);
  return done;
}

static unsigned by_pipe(void) {
  int there[2], back[2];
  if (pipe(there) != 0 || pipe(back) != 0) return 0;
  char byte = 'x';
  const pid_t child = fork();
  if (child == 0) {
    close(there[1]);
    while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1) {}
    _exit(0);
  }
  close(there[0]);
  unsigned done = 0;
  for (unsigned i = 0; i < rounds; ++i) done += write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1;
  close(there[1]);
  waitpid(child, NULL, 0);
  return done;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  rounds = strtoul(argv[2], 0, 10);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  sched_setaffinity(0, sizeof one, &one);
  printf("%u\n", !strcmp(argv[1], "pipe") ? by_pipe() : by_futex());
  return 0;
}
