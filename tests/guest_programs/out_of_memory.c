/* What happens when memory is used up. Arguments: what, and for "hog" how many bytes, in MiB, its small parent has.
 *   hog       a child takes all there is; its parent lives on with its data
 *   adjust    of two hogs the one with the higher oom_score_adj is killed, though it is the smaller
 *   threads   all threads of a process that is killed for others are stopped at once, though they are at work
 *   bomb      every hog forks two more; somebody is left to tell the end
 *   unkillable    a process that cannot be chosen takes all there is: the machine ends */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include "support/say.h"

enum { kMib = 1 << 20 };

static unsigned char* take(size_t bytes, int value) {
  unsigned char* at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at != MAP_FAILED) memset(at, value, bytes);
  return at;
}

static void take_all(void) {
  while (take(kMib, 1) != MAP_FAILED) {}
  _exit(7);
}

static void adjust_oom_score(const char* text) {
  const int fd = open("/proc/self/oom_score_adj", O_WRONLY);
  MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static void hog(size_t mib) {
  unsigned char* mine = take(mib * kMib, 42);
  MUST(mine != MAP_FAILED);
  const pid_t child = must_fork();
  if (child == 0) take_all();
  say("hog: %s", status_text(must_wait(child)));
  size_t wrong = 0;
  for (size_t i = 0; i < mib * kMib; ++i) wrong += mine[i] != 42;
  say("parent: %zu bytes wrong", wrong);
}

static void adjusted(void) {
  const struct gate gate = new_gate();
  const pid_t small = must_fork();
  if (small == 0) {
    adjust_oom_score("1000");
    MUST(take(4 * kMib, 2) != MAP_FAILED);
    tell(gate);
    pause();
  }
  wait_for(gate);
  const pid_t large = must_fork();
  if (large == 0) take_all();
  say("small, but preferred: %s", status_text(must_wait(small)));
  say("large: %s", status_text(must_wait(large)));
}

static void* sleeps(void* nothing) {
  for (;;) pause();
  return nothing;
}
static void* reads(void* at) {
  for (;;)
    for (size_t i = 0; i < kMib; i += 4096) (void)((volatile unsigned char*)at)[i];
  return NULL;
}

static void threads(void) {
  const struct gate gate = new_gate();
  const pid_t busy = must_fork();
  if (busy == 0) {
    adjust_oom_score("1000");
    /* Whoever sleeps and is woken for the signal comes behind those that work. */
    for (int i = 0; i < 4; ++i) {
      pthread_t thread;
      MUST(pthread_create(&thread, NULL, i % 2 ? reads : sleeps, take(kMib, 1)) == 0);
    }
    tell(gate);
    sleeps(NULL);
  }
  wait_for(gate);
  const pid_t large = must_fork();
  if (large == 0) take_all();
  say("busy: %s", status_text(must_wait(busy)));
  say("large: %s", status_text(must_wait(large)));
}

static void bomb(int depth) {
  if (take(kMib, depth) == MAP_FAILED) _exit(7);
  for (int i = 0; i < 2 && depth < 5; ++i)
    if (fork() == 0) bomb(depth + 1);
  take(4 * kMib, depth);
  while (wait(NULL) > 0) {}
  _exit(0);
}

int main(int argc, char** argv) {
  MUST(argc >= 2);
  if (!strcmp(argv[1], "hog")) hog(argc > 2 ? (size_t)atoi(argv[2]) : 1);
  if (!strcmp(argv[1], "adjust")) adjusted();
  if (!strcmp(argv[1], "threads")) threads();
  if (!strcmp(argv[1], "bomb")) {
    adjust_oom_score("-999");
    const pid_t child = must_fork();
    if (child == 0) {
      adjust_oom_score("0");
      bomb(0);
    }
    must_wait(child);
    say("the bomb is over");
  }
  if (!strcmp(argv[1], "unkillable")) {
    adjust_oom_score("-1000");
    take_all();
  }
  return 0;
}
