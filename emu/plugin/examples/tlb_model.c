/* tlb_model: how often a program would miss the TLB of a processor, by the TLB's size.
 *
 *   faultline run --plugin tlb_model.so,out=tlb.txt ./program
 *
 * ways=N     of the first level (4)       ways2=N  of the second (8)
 * factor=N   the second level has so many times the entries of the first (16)
 * out=FILE   instead of standard error
 *
 * Data accesses only. Each set forgets the entry that was used longest ago. Both levels forget everything when another
 * process runs, and a page when it is unmapped, as a processor without address-space numbers does.
 */
#include <faultline/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZES 5

struct level {
  uint32_t sets, ways;
  uint32_t* pages; /* of each set, the one used last first; 1: none */
};

struct tlb {
  struct level level[2];
  uint64_t misses[2];
};

static struct tlb tlbs[SIZES];
static uint64_t ways = 4, ways2 = 8, factor = 16;
static uint64_t accesses, switches;
static uint32_t pid;
static FILE* out;

static void forget_all(struct level* level) {
  for (uint32_t at = 0; at < level->sets * level->ways; ++at) {
    level->pages[at] = 1;
  }
}

static uint32_t* set_of(const struct level* level, uint32_t page) {
  return level->pages + (size_t)((page >> 12) % level->sets) * level->ways;
}

/* Whether the page was there; in any case it stands first in its set afterwards. */
static int use(struct level* level, uint32_t page) {
  uint32_t* const set = set_of(level, page);
  uint32_t at = 0;
  while (at < level->ways - 1 && set[at] != page) {
    ++at;
  }
  const int hit = set[at] == page;
  memmove(set + 1, set, at * sizeof *set);
  set[0] = page;
  return hit;
}

static void forget(struct level* level, uint32_t page) {
  uint32_t* const set = set_of(level, page);
  for (uint32_t at = 0; at < level->ways; ++at) {
    if (set[at] == page) {
      set[at] = 1;
    }
  }
}

static void on_access(void* user, const struct faultline_event* event) {
  (void)user;
  const uint32_t page = event->u.access.addr & ~0xfffu;
  ++accesses;
  if (event->pid != pid) {
    switches += pid != 0;
    pid = event->pid;
    for (int at = 0; at < SIZES; ++at) {
      forget_all(&tlbs[at].level[0]);
      forget_all(&tlbs[at].level[1]);
    }
  }
  for (int at = 0; at < SIZES; ++at) {
    if (!use(&tlbs[at].level[0], page)) {
      ++tlbs[at].misses[0];
      tlbs[at].misses[1] += !use(&tlbs[at].level[1], page);
    }
  }
}

static void on_unmapped(void* user, const struct faultline_event* event) {
  (void)user;
  for (int at = 0; at < SIZES; ++at) {
    forget(&tlbs[at].level[0], event->u.page.addr);
    forget(&tlbs[at].level[1], event->u.page.addr);
  }
}

static double percent(uint64_t part) { return accesses != 0 ? 100.0 * (double)part / (double)accesses : 0; }

static void on_end(void* user, const struct faultline_event* event) {
  (void)user;
  (void)event;
  fprintf(out, "tlb: %llu accesses, %llu switches\n", (unsigned long long)accesses, (unsigned long long)switches);
  fprintf(out, "%8s %12s %8s %8s %12s %8s\n", "entries", "misses", "%", "second", "misses", "%");
  for (int at = 0; at < SIZES; ++at) {
    const struct tlb* const tlb = &tlbs[at];
    fprintf(out, "%8u %12llu %8.4f %8u %12llu %8.4f\n", tlb->level[0].sets * tlb->level[0].ways,
            (unsigned long long)tlb->misses[0], percent(tlb->misses[0]), tlb->level[1].sets * tlb->level[1].ways,
            (unsigned long long)tlb->misses[1], percent(tlb->misses[1]));
  }
  fflush(out);
}

static void make(struct level* level, uint64_t entries, uint64_t of_set) {
  level->ways = (uint32_t)of_set;
  level->sets = (uint32_t)(entries / of_set != 0 ? entries / of_set : 1);
  level->pages = malloc(sizeof *level->pages * level->sets * level->ways);
  if (level->pages == NULL) {
    abort();
  }
  forget_all(level);
}

FAULTLINE_PLUGIN
int faultline_plugin_load(const struct faultline_api* api, struct faultline_plugin* self) {
  const char* const path = api->option(self, "out");
  out = path != NULL ? fopen(path, "w") : stderr;
  if (out == NULL) {
    api->refuse(self, "its output file cannot be written");
    return 1;
  }
  api->option_number(self, "ways", 1, 64, &ways);
  api->option_number(self, "ways2", 1, 64, &ways2);
  api->option_number(self, "factor", 1, 1024, &factor);
  for (int at = 0; at < SIZES; ++at) {
    make(&tlbs[at].level[0], 16u << at, ways);
    make(&tlbs[at].level[1], (16u << at) * factor, ways2);
  }
  api->subscribe(self, FAULTLINE_ACCESS, on_access, NULL);
  api->subscribe(self, FAULTLINE_PAGE_UNMAPPED, on_unmapped, NULL);
  return api->subscribe(self, FAULTLINE_END, on_end, NULL);
}
