/* count_events: how often each event comes. For tests, and to measure what an event costs.
 *
 * events=A+B  only these ("all": every kind but block and access; "none"; without the option: all)
 * out=FILE    a line "NAME COUNT" for each kind that came, at the end; instead of standard error
 */
#include <faultline/plugin.h>

#include <stdio.h>
#include <string.h>

static const struct faultline_api* api;
static uint64_t counts[FAULTLINE_EVENT_KINDS];
static FILE* out;

static void count(void* user, const struct faultline_event* event) {
  (void)event;
  ++*(uint64_t*)user;
}

static void on_end(void* user, const struct faultline_event* event) {
  count(user, event);
  for (uint32_t kind = 0; kind < FAULTLINE_EVENT_KINDS; ++kind) {
    if (counts[kind] != 0) {
      fprintf(out, "%s %llu\n", api->event_name(kind), (unsigned long long)counts[kind]);
    }
  }
  fflush(out);
}

static int is_in(const char* names, const char* name) {
  const size_t length = strlen(name);
  for (const char* at = strstr(names, name); at != NULL; at = strstr(at + 1, name)) {
    if ((at == names || at[-1] == '+') && (at[length] == '+' || at[length] == '\0')) {
      return 1;
    }
  }
  return 0;
}

FAULTLINE_PLUGIN
int faultline_plugin_load(const struct faultline_api* given, struct faultline_plugin* self) {
  api = given;
  const char* names = api->option(self, "events");
  names = names != NULL ? names : "all";
  const char* const path = api->option(self, "out");
  out = path != NULL ? fopen(path, "w") : stderr;
  if (out == NULL) {
    return 1;
  }
  for (uint32_t kind = 0; kind < FAULTLINE_EVENT_KINDS; ++kind) {
    const int wanted = strcmp(names, "all") == 0 ? kind < FAULTLINE_BLOCK : is_in(names, api->event_name(kind));
    if (wanted && kind != FAULTLINE_END) {
      api->subscribe(self, kind, count, &counts[kind]);
    }
  }
  return strcmp(names, "none") == 0 ? 0 : api->subscribe(self, FAULTLINE_END, on_end, &counts[FAULTLINE_END]);
}
