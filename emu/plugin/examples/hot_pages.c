/* hot_pages: which pages a program uses most: faults and accesses of each, and the top of the list.
 *
 *   faultline run --plugin hot_pages.so,top=20,out=pages.txt ./program
 *
 * top=N       so many lines (20)              accesses=0  count faults only, which is much faster
 * out=FILE    instead of standard error
 */
#include <faultline/plugin.h>

#include <stdio.h>
#include <stdlib.h>

struct hot_page {
  uint32_t pid, page; /* pid 0: while the first program is loaded */
  uint64_t faults, major, accesses;
  char name[64];
};

/* An open hash table of pages by process and address; a place without faults and accesses is free. */
struct table {
  struct hot_page* pages;
  size_t places, used;
};

static struct table table;
static uint64_t top = 20, count_accesses = 1;
static uint64_t faults, accesses;
static FILE* out;

static int is_free(const struct hot_page* page) { return page->faults == 0 && page->accesses == 0; }

static struct hot_page* place_of(const struct table* in, uint32_t pid, uint32_t page) {
  size_t at = (page >> 12 ^ pid * 2654435761u) % in->places;
  while (!is_free(&in->pages[at]) && (in->pages[at].pid != pid || in->pages[at].page != page)) {
    at = (at + 1) % in->places;
  }
  return &in->pages[at];
}

/* The caller counts something for it. */
static struct hot_page* find_page(uint32_t pid, uint32_t page) {
  if (table.used * 2 >= table.places) {
    struct table larger = {NULL, table.places * 2 + 1024, table.used};
    larger.pages = calloc(larger.places, sizeof *larger.pages);
    if (larger.pages == NULL) {
      abort();
    }
    for (size_t at = 0; at < table.places; ++at) {
      if (!is_free(&table.pages[at])) {
        *place_of(&larger, table.pages[at].pid, table.pages[at].page) = table.pages[at];
      }
    }
    free(table.pages);
    table = larger;
  }
  struct hot_page* const found = place_of(&table, pid, page);
  if (is_free(found)) {
    *found = (struct hot_page){.pid = pid, .page = page};
    ++table.used;
  }
  return found;
}

static void on_fault(void* user, const struct faultline_event* event) {
  (void)user;
  const struct faultline_fault* const fault = &event->u.fault;
  if (fault->result > FAULTLINE_MAJOR) {
    return; /* refused: not counted by --stats either */
  }
  struct hot_page* const page = find_page(event->pid, fault->addr & ~0xfffu);
  ++faults;
  ++page->faults;
  page->major += fault->result == FAULTLINE_MAJOR;
  if (fault->vma != NULL) {
    snprintf(page->name, sizeof page->name, "%.*s", (int)fault->vma->name_length, fault->vma->name);
  }
}

static void on_access(void* user, const struct faultline_event* event) {
  (void)user;
  ++accesses;
  ++find_page(event->pid, event->u.access.addr & ~0xfffu)->accesses;
}

static int hotter(const void* a, const void* b) {
  const struct hot_page *const x = a, *const y = b;
  const uint64_t hot_x = x->accesses + x->faults, hot_y = y->accesses + y->faults;
  return hot_x != hot_y ? (hot_x < hot_y) - (hot_x > hot_y) : (x->page > y->page) - (x->page < y->page);
}

static void on_end(void* user, const struct faultline_event* event) {
  (void)user;
  (void)event;
  fprintf(out, "hot pages: %zu pages, %llu faults, %llu accesses\n", table.used, (unsigned long long)faults,
          (unsigned long long)accesses);
  fprintf(out, "%6s %10s %8s %8s %12s  %s\n", "pid", "page", "faults", "major", "accesses", "mapping");
  if (table.used != 0) {
    qsort(table.pages, table.places, sizeof *table.pages, hotter);
  }
  for (size_t at = 0; at < table.used && at < top; ++at) {
    const struct hot_page* const page = &table.pages[at];
    fprintf(out, "%6u 0x%08x %8llu %8llu %12llu  %s\n", page->pid, page->page, (unsigned long long)page->faults,
            (unsigned long long)page->major, (unsigned long long)page->accesses, page->name);
  }
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
  api->option_number(self, "top", 1, 1000000, &top);
  api->option_number(self, "accesses", 0, 1, &count_accesses);
  if (count_accesses) {
    api->subscribe(self, FAULTLINE_ACCESS, on_access, NULL);
  }
  api->subscribe(self, FAULTLINE_FAULT_END, on_fault, NULL);
  return api->subscribe(self, FAULTLINE_END, on_end, NULL);
}
