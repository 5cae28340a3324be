/* working_set: how many pages a program touches in each interval of its time, as CSV.
 *
 *   faultline run --plugin working_set.so,interval=1000,out=set.csv ./program
 *
 * interval=US  microseconds of virtual time (1000)       out=FILE  instead of standard error
 *
 * Columns: t (ns, end of the interval), pages (touched in it), first (of these never before), accesses, blocks.
 * Touched is what the program reads, writes or executes; a page of two processes counts twice.
 */
#include <faultline/plugin.h>

#include <stdio.h>
#include <stdlib.h>

/* For each page of a process the interval in which it was touched last. */
struct place {
  uint64_t key; /* pid << 20 | page number; 0: free */
  uint64_t last;
};

static struct place* places;
static size_t size, used;
static uint64_t interval = 1000;
static uint64_t number = 1; /* of this interval; 0: never */
static uint64_t end_ns;
static uint64_t pages, first, accesses, blocks;
static FILE* out;

static struct place* place_of(struct place* in, size_t n, uint64_t key) {
  size_t at = key * 0x9e3779b97f4a7c15u >> 20 & (n - 1);
  while (in[at].key != 0 && in[at].key != key) {
    at = (at + 1) & (n - 1);
  }
  return &in[at];
}

static void grow(void) {
  const size_t larger = size != 0 ? size * 2 : 4096;
  struct place* const moved = calloc(larger, sizeof *moved);
  if (moved == NULL) {
    abort();
  }
  for (size_t at = 0; at < size; ++at) {
    if (places[at].key != 0) {
      *place_of(moved, larger, places[at].key) = places[at];
    }
  }
  free(places);
  places = moved;
  size = larger;
}

static void touch(uint32_t pid, uint32_t addr) {
  if (used * 2 >= size) {
    grow();
  }
  const uint64_t key = (uint64_t)pid << 20 | addr >> 12;
  struct place* const place = place_of(places, size, key);
  if (place->key == 0) {
    place->key = key;
    ++used;
    ++first;
  }
  pages += place->last != number;
  place->last = number;
}

static void write_row(uint64_t at) {
  fprintf(out, "%llu,%llu,%llu,%llu,%llu\n", (unsigned long long)at, (unsigned long long)pages,
          (unsigned long long)first, (unsigned long long)accesses, (unsigned long long)blocks);
  pages = first = accesses = blocks = 0;
  ++number;
}

static void go_on(uint64_t now) {
  if (now >= end_ns) {
    const uint64_t length = interval * 1000;
    if (end_ns != 0) {
      write_row(end_ns);
    }
    end_ns = (now / length + 1) * length; /* intervals in which nobody ran have no row */
  }
}

static void on_access(void* user, const struct faultline_event* event) {
  (void)user;
  const struct faultline_access* const access = &event->u.access;
  go_on(event->time_ns);
  ++accesses;
  touch(event->pid, access->addr);
  if ((access->addr & 0xfff) + access->bytes > 0x1000) {
    touch(event->pid, access->addr + access->bytes - 1);
  }
}

static void on_block(void* user, const struct faultline_event* event) {
  (void)user;
  const struct faultline_block* const block = &event->u.block;
  go_on(event->time_ns);
  ++blocks;
  touch(event->pid, block->ip);
  if ((block->ip & 0xfff) + block->bytes > 0x1000) {
    touch(event->pid, block->ip + block->bytes - 1);
  }
}

static void on_end(void* user, const struct faultline_event* event) {
  (void)user;
  write_row(event->time_ns);
  fflush(out);
}

FAULTLINE_PLUGIN
int faultline_plugin_load(const struct faultline_api* api, struct faultline_plugin* self) {
  const char* const path = api->option(self, "out");
  out = path != NULL ? fopen(path, "w") : stderr;
  if (out == NULL) {
    api->refuse(self, "its output file cannot be written");
    return 1;
  }
  api->option_number(self, "interval", 1, 1000000000, &interval);
  fprintf(out, "t,pages,first,accesses,blocks\n");
  api->subscribe(self, FAULTLINE_ACCESS, on_access, NULL);
  api->subscribe(self, FAULTLINE_BLOCK, on_block, NULL);
  return api->subscribe(self, FAULTLINE_END, on_end, NULL);
}
