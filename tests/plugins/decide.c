/* decide: policies that are easy to recognise, and answers that are out of bounds.
 *
 * around=page|wild     fault-around: only the page itself; all addresses there are
 * readahead=N          pages that are read together from swap
 * evict=keep|evict     every page that reclaim offers stays, or goes; wild: verdicts that are none
 * oom=least|wild       the process with the fewest points is killed; an index beyond all
 */
#include <faultline/plugin.h>

#include <stddef.h>
#include <string.h>

static uint64_t readahead;
static const char *around, *evict, *oom;

static void on_around(void* user, const struct faultline_vma* vma, uint32_t page, uint32_t* from, uint32_t* to) {
  (void)user;
  (void)vma;
  const int wild = strcmp(around, "wild") == 0;
  *from = wild ? 0 : page;
  *to = wild ? 0xffffffffu : page + 4096;
}

static void on_evict(void* user, const uint32_t* pfns, uint32_t count, uint8_t* verdicts) {
  (void)user;
  (void)pfns;
  memset(verdicts,
         strcmp(evict, "keep") == 0    ? FAULTLINE_KEEP
         : strcmp(evict, "evict") == 0 ? FAULTLINE_EVICT
                                       : 77,
         count);
}

static uint32_t on_readahead(void* user, const struct faultline_vma* vma, uint32_t addr, uint32_t pages) {
  (void)user;
  (void)vma;
  (void)addr;
  (void)pages;
  return (uint32_t)readahead;
}

static uint32_t on_oom(void* user, const uint32_t* tids, const int64_t* points, uint32_t count, uint32_t chosen) {
  (void)user;
  (void)tids;
  (void)chosen;
  uint32_t least = 0;
  for (uint32_t at = 1; at < count; ++at) {
    least = points[at] < points[least] ? at : least;
  }
  return strcmp(oom, "least") == 0 ? least : count + 1000;
}

FAULTLINE_PLUGIN
int faultline_plugin_load(const struct faultline_api* api, struct faultline_plugin* self) {
  around = api->option(self, "around");
  evict = api->option(self, "evict");
  oom = api->option(self, "oom");
  const int ahead = api->option(self, "readahead") != NULL;
  api->option_number(self, "readahead", 0, 0xffffffffu, &readahead);
  return (around != NULL && api->set_fault_around(self, on_around, NULL) != 0) ||
         (evict != NULL && api->set_evict(self, on_evict, NULL) != 0) ||
         (oom != NULL && api->set_oom_victim(self, on_oom, NULL) != 0) ||
         (ahead && api->set_swap_readahead(self, on_readahead, NULL) != 0);
}
