/* random_evict: a policy: which pages leave memory is left to chance. To see what Linux's choice is worth.
 *
 *   faultline run --memory-limit 8M --swap 64M --plugin random_evict.so ./program
 *   faultline run --memory-limit 8M --swap 64M --plugin random_evict.so,choose=0 ./program
 *
 * choose=0   answers as Linux would: the same run as without the plugin, to compare with
 * keep=P     of a hundred pages that reclaim looks at P go to the front of their list, used or not (75)
 * seed=N     of the generator (1)                          out=FILE   instead of standard error
 *
 * Reclaim offers pages from the end of the inactive lists. With --reclaim fifo all pages are on those, so that the
 * choice is among all; with Linux's lists pages that were found in use are not offered.
 */
#include <faultline/plugin.h>

#include <stdio.h>

static const struct faultline_api* api;
static struct faultline_plugin* self;
static uint64_t choose = 1, keep = 75, state = 1;
static uint64_t offered, kept;
static FILE* out;

/* xorshift64*: the same in every run. */
static uint32_t random_percent(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t)((state * 0x2545f4914f6cdd1du >> 33) % 100);
}

static void on_evict(void* user, const uint32_t* pfns, uint32_t count, uint8_t* verdicts) {
  (void)user;
  (void)pfns;
  offered += count;
  for (uint32_t at = 0; choose && at < count; ++at) {
    verdicts[at] = random_percent() < keep ? FAULTLINE_KEEP : FAULTLINE_EVICT;
    kept += verdicts[at] == FAULTLINE_KEEP;
  }
}

static void on_end(void* user, const struct faultline_event* event) {
  struct faultline_counters counters = {.size = sizeof counters};
  (void)user;
  (void)event;
  if (api->counters(self, &counters) != 0) {
    return;
  }
  fprintf(out, "random_evict: %llu major faults, %llu minor, %llu pages in, %llu out, offered %llu, kept %llu\n",
          (unsigned long long)counters.major_faults, (unsigned long long)counters.minor_faults,
          (unsigned long long)counters.swap_ins, (unsigned long long)counters.swap_outs, (unsigned long long)offered,
          (unsigned long long)kept);
  fflush(out);
}

FAULTLINE_PLUGIN
int faultline_plugin_load(const struct faultline_api* given, struct faultline_plugin* plugin) {
  api = given;
  self = plugin;
  const char* const path = api->option(self, "out");
  out = path != NULL ? fopen(path, "w") : stderr;
  if (out == NULL) {
    api->refuse(self, "its output file cannot be written");
    return 1;
  }
  api->option_number(self, "choose", 0, 1, &choose);
  api->option_number(self, "keep", 0, 99, &keep);
  api->option_number(self, "seed", 1, ~UINT64_C(0), &state);
  api->set_evict(self, on_evict, NULL);
  return api->subscribe(self, FAULTLINE_END, on_end, NULL);
}
