/* What becomes of programs whose swap fails. Arguments: what, how many MiB a large process has, and for swapoff the area.
 *   lost       when most is in swap it makes the file "ready" and waits for a byte from standard input: meanwhile
 *              somebody spoils the area. Then everybody looks for his pages. With a third argument after a swapoff
 *   fill       a large process writes and reads again all it has
 *   full       the same, then one that has too much, then the first again
 *   swapoff    an area is removed while a large process works in it */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/swap.h>

#include "support/say.h"

enum { kPage = 4096, kMib = 1 << 20 };

static uint32_t* take(size_t bytes, uint32_t seed) {
  uint32_t* at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  MUST(at != MAP_FAILED);
  for (size_t i = 0; i < bytes / 4; i += 64) at[i] = (uint32_t)i * 2654435761u + seed;
  return at;
}

static sigjmp_buf out_of_page;
static const uint32_t* volatile expected_page;
static volatile unsigned strange;
static void on_bus(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  if ((uintptr_t)info->si_addr / kPage != (uintptr_t)expected_page / kPage) ++strange;
  siglongjmp(out_of_page, 1);
}

struct found {
  unsigned right, lost, wrong;
};
static struct found look(const uint32_t* at, size_t bytes, uint32_t seed) {
  struct found found = {0, 0, 0};
  volatile unsigned lost = 0;
  for (volatile size_t page = 0; page < bytes / 4; page += kPage / 4) {
    unsigned wrong = 0;
    expected_page = at + page;
    if (sigsetjmp(out_of_page, 1)) {
      ++lost;
      continue;
    }
    for (size_t i = page; i < page + kPage / 4; i += 64) wrong += at[i] != (uint32_t)i * 2654435761u + seed;
    if (wrong) ++found.wrong;
    else ++found.right;
  }
  found.lost = lost;
  return found;
}
static const char* some(unsigned count) { return count ? "some" : "none"; }

static void show_swaps(const char* when) {
  char text[1024];
  const int fd = open("/proc/swaps", O_RDONLY);
  const ssize_t length = read(fd, text, sizeof text - 1);
  MUST(fd >= 0 && length > 0);
  text[length] = 0;
  close(fd);
  unsigned size = 0, used = 0;
  int priority = 0, areas = 0;
  char* line = strchr(text, '\n') + 1;
  for (; *line; line = strchr(line, '\n') + 1) {
    unsigned one_size, one_used;
    MUST(sscanf(line, "%*s %*s %u %u %d", &one_size, &one_used, &priority) == 3);
    size += one_size, used += one_used, ++areas;
  }
  say("%s: %d areas, %u KiB, %s used", when, areas, size, some(used));
}

static void fill(const char* name, size_t bytes) {
  const pid_t child = must_fork();
  if (child == 0) {
    const struct found found = look(take(bytes, 7), bytes, 7);
    say("%s: %u lost, %u wrong", name, found.lost, found.wrong);
    _exit(0);
  }
  say("%s: %s", name, status_text(must_wait(child)));
}

static void lost(size_t bytes, const char* area) {
  const struct gate taken = new_gate(), go[3] = {new_gate(), new_gate(), new_gate()};
  pid_t children[3];
  static const char* const names[] = {"locked", "plain", "large"};
  for (int i = 0; i < 3; ++i) {
    children[i] = must_fork();
    if (children[i] == 0) {
      const size_t mine = i == 2 ? bytes : 64 * kPage;
      MUST(mlockall(MCL_CURRENT) == 0);
      uint32_t* at = take(mine, (uint32_t)i);
      if (i == 0) MUST(mlock(at, mine) == 0);
      if (i == 2) {
        const struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
        MUST(sigaction(SIGBUS, &action, NULL) == 0);
      }
      tell(taken);
      wait_for(go[i]);
      const struct found found = look(at, mine, (uint32_t)i);
      say("%s: %s lost, %u wrong, %u strange", names[i], some(found.lost), found.wrong, strange);
      if (i != 2) _exit(0);
      /* A lost page can be given up and used again. */
      MUST(madvise(at, mine, MADV_DONTNEED) == 0);
      memset(at, 1, mine / 8);
      _exit(0);
    }
    wait_for(taken);
  }
  show_swaps("before");
  const int ready = open("ready", O_WRONLY | O_CREAT, 0600);
  char byte;
  MUST(ready >= 0 && close(ready) == 0 && read(0, &byte, 1) == 1);
  if (area != NULL) {
    say("swapoff: %s", OUTCOME(swapoff(area)));
    show_swaps("after it");
  }
  for (int i = 0; i < 3; ++i) {
    tell(go[i]);
    say("%s: %s", names[i], status_text(must_wait(children[i])));
  }
  fill("later", bytes / 4);
  show_swaps("at the end");
}

static void remove_area(size_t bytes, const char* area) {
  const struct gate taken = new_gate(), go = new_gate();
  const pid_t large = must_fork();
  if (large == 0) {
    uint32_t* at = take(bytes, 3);
    madvise(at, bytes, 21 /* MADV_PAGEOUT */);
    tell(taken);
    /* Reads on while the area goes, in turns with who removes it. */
    struct found found = look(at, bytes, 3);
    wait_for(go);
    const struct found again = look(at, bytes, 3);
    say("large: %u lost, %u wrong", found.lost + again.lost, found.wrong + again.wrong);
    _exit(0);
  }
  wait_for(taken);
  show_swaps("before");
  const pid_t remover = must_fork();
  if (remover == 0) {
    const int result = swapoff(area);
    say("swapoff: %s", OUTCOME(result));
    _exit(result != 0);
  }
  say("swapoff: %s", status_text(must_wait(remover)));
  show_swaps("after");
  tell(go);
  say("large: %s", status_text(must_wait(large)));
}

int main(int argc, char** argv) {
  MUST(argc >= 3);
  const size_t bytes = (size_t)atoi(argv[2]) * kMib;
  if (!strcmp(argv[1], "lost")) {
    MUST(mlockall(MCL_CURRENT) == 0);
    lost(bytes, argv[3]);
  }
  if (!strcmp(argv[1], "fill")) {
    show_swaps("before");
    fill("large", bytes);
    show_swaps("after");
  }
  if (!strcmp(argv[1], "full")) {
    fill("large", bytes);
    fill("too large", 8 * bytes);
    show_swaps("after");
    fill("again", bytes);
  }
  if (!strcmp(argv[1], "swapoff")) remove_area(bytes, argv[3]);
  return 0;
}
