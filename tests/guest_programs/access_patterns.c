/* Ways to use memory, for limits of memory: how often pages come back from swap depends on which ones reclaim takes.
 * Arguments: pattern, pages, rounds. One round is as many visits as there are pages, in order of
 *   sequential   the addresses, once in each round, up and down in turn
 *   looped       the addresses, always up
 *   random       chance
 *   zipf         chance, the page of rank r with a probability of 1/r; the ranks are scattered over the addresses
 *   phases       chance, three times in the lower half, three times in the upper half, and so on; in between each
 *                sixteenth visit is to the other half
 *   fork         chance, by a child that writes to half of what it visits, while its parent waits; then by the parent
 * A visit reads a word and checks it; each fourth changes it. All is deterministic. */
#include <stdint.h>
#include <sys/mman.h>

#include "support/say.h"

enum { kWords = 1024 };

static uint32_t* memory;
static uint32_t pages, rounds;
static uint32_t state = 12345;
static uint64_t sum;
static uint32_t visits, wrong;

/* xorshift: no multiplication, and all its bits are good. */
static uint32_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 17;
  return state ^= state << 5;
}
static uint32_t below(uint32_t limit) { return (uint32_t)((uint64_t)next_random() * limit >> 32); }

/* A page has its number in its first word, and how often it was changed in its second one. */
static void visit(uint32_t page, int write) {
  uint32_t* at = memory + (size_t)page * kWords;
  wrong += at[0] != page * 2654435761u;
  sum += at[1];
  if (write) at[1] += 1;
  ++visits;
}

static void fill(void) {
  for (uint32_t page = 0; page < pages; ++page) memory[(size_t)page * kWords] = page * 2654435761u;
}

static void sequential(void) {
  for (uint32_t round = 0; round < rounds; ++round)
    for (uint32_t i = 0; i < pages; ++i) visit(round % 2 ? i : pages - 1 - i, i % 4 == 0);
}

static void looped(void) {
  for (uint32_t round = 0; round < rounds; ++round)
    for (uint32_t i = 0; i < pages; ++i) visit(i, i % 4 == 0);
}

static void at_random(uint32_t write_of_4) {
  for (uint32_t i = 0; i < rounds * pages; ++i) visit(below(pages), next_random() % 4 < write_of_4);
}

static void zipf(void) {
  /* Weights 1/r in fixed point, summed up; a page's rank is its number times an odd constant, modulo a power of two. */
  uint32_t* sums = mmap(NULL, pages * sizeof *sums, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(sums != MAP_FAILED);
  uint32_t total = 0;
  for (uint32_t rank = 0; rank < pages; ++rank) sums[rank] = total += (1u << 27) / (rank + 1);
  uint32_t power = 1;
  while (power < pages) power *= 2;
  for (uint32_t i = 0; i < rounds * pages; ++i) {
    const uint32_t wanted = below(total);
    uint32_t low = 0, high = pages - 1;
    while (low < high) {
      const uint32_t middle = (low + high) / 2;
      if (sums[middle] > wanted) high = middle;
      else low = middle + 1;
    }
    uint32_t page = low;
    do page = (page * 40503u + 1) & (power - 1);
    while (page >= pages);
    visit(page, next_random() % 4 == 0);
  }
}

static void phases(void) {
  const uint32_t half = pages / 2;
  for (uint32_t round = 0; round < rounds; ++round) {
    const uint32_t first = round / 3 % 2 * half;
    for (uint32_t i = 0; i < pages; ++i) {
      const uint32_t page = i % 16 ? first + below(half) : half - first + below(half);
      visit(page, next_random() % 4 == 0);
    }
  }
}

static void forked(void) {
  const pid_t child = must_fork();
  if (child == 0) {
    at_random(2);
    say("child: %u visits, %u wrong, sum %llu", visits, wrong, (unsigned long long)sum);
    _exit(0);
  }
  say("child: %s", status_text(must_wait(child)));
  at_random(1);
}

int main(int argc, char** argv) {
  MUST(argc == 4);
  pages = (uint32_t)atoi(argv[2]);
  rounds = (uint32_t)atoi(argv[3]);
  MUST(pages >= 16 && pages <= 1u << 18 && rounds > 0 && rounds < 1000);
  memory = mmap(NULL, (size_t)pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(memory != MAP_FAILED);
  fill();
  if (!strcmp(argv[1], "sequential")) sequential();
  else if (!strcmp(argv[1], "looped")) looped();
  else if (!strcmp(argv[1], "random")) at_random(1);
  else if (!strcmp(argv[1], "zipf")) zipf();
  else if (!strcmp(argv[1], "phases")) phases();
  else if (!strcmp(argv[1], "fork")) forked();
  else MUST(!"a known pattern");
  say("%s: %u visits, %u wrong, sum %llu", argv[1], visits, wrong, (unsigned long long)sum);
  return wrong != 0;
}
